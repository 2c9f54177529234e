-- What reports read: counts by minute (kept 13 months: any time zone's days are sums of minutes) and by UTC day (kept for ever).
-- No customer in here, so that deleting a person never has to reach a rollup. Fed by the views below; the windows on the targets
-- and deduplicate_blocks_in_dependent_materialized_views make a retried insert count once here as well.
create table if not exists performance_minute_v1 (
  minute                DateTime('UTC'),
  merchant_id           LowCardinality(String),
  campaign_id           LowCardinality(String),
  listing_id            String,
  placement             LowCardinality(String),
  position              UInt16,
  search_term           String,
  device                LowCardinality(String),
  model_version         LowCardinality(String),
  sponsored             Bool,
  impressions           UInt64,
  viewable_impressions  UInt64,
  clicks                UInt64,
  invalid_impressions   UInt64,
  invalid_clicks        UInt64,
  spend_micros          Int64
) engine = SummingMergeTree((impressions, viewable_impressions, clicks, invalid_impressions, invalid_clicks, spend_micros))
partition by toYYYYMM(minute)
order by (minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored)
ttl minute + interval 13 month
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

create table if not exists performance_day_v1 (
  day                   Date,
  merchant_id           LowCardinality(String),
  campaign_id           LowCardinality(String),
  listing_id            String,
  placement             LowCardinality(String),
  position              UInt16,
  search_term           String,
  device                LowCardinality(String),
  model_version         LowCardinality(String),
  sponsored             Bool,
  impressions           UInt64,
  viewable_impressions  UInt64,
  clicks                UInt64,
  invalid_impressions   UInt64,
  invalid_clicks        UInt64,
  spend_micros          Int64
) engine = SummingMergeTree((impressions, viewable_impressions, clicks, invalid_impressions, invalid_clicks, spend_micros))
partition by toYYYYMM(day)
order by (day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored)
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

create materialized view if not exists interactions_to_minute_mv_v1 to performance_minute_v1 as
select
  toStartOfMinute(occurred_at) as minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device,
  model_version, sponsored,
  countIf(type = 'impression') as impressions, countIf(type = 'viewable') as viewable_impressions, countIf(type = 'click') as clicks,
  toUInt64(0) as invalid_impressions, toUInt64(0) as invalid_clicks, toInt64(0) as spend_micros
from interactions_v1
group by minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored;

create materialized view if not exists interactions_to_day_mv_v1 to performance_day_v1 as
select
  toDate(occurred_at, 'UTC') as day, merchant_id, campaign_id, listing_id, placement, position, search_term, device,
  model_version, sponsored,
  countIf(type = 'impression') as impressions, countIf(type = 'viewable') as viewable_impressions, countIf(type = 'click') as clicks,
  toUInt64(0) as invalid_impressions, toUInt64(0) as invalid_clicks, toInt64(0) as spend_micros
from interactions_v1
group by day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored;

create materialized view if not exists charges_to_minute_mv_v1 to performance_minute_v1 as
select
  toStartOfMinute(occurred_at) as minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device,
  model_version, true as sponsored,
  toUInt64(0) as impressions, toUInt64(0) as viewable_impressions, toUInt64(0) as clicks,
  countIf(interaction_type = 'impression' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_impressions,
  countIf(interaction_type = 'click' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_clicks,
  sum(amount_micros) as spend_micros
from charges_v1
group by minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored;

create materialized view if not exists charges_to_day_mv_v1 to performance_day_v1 as
select
  toDate(occurred_at, 'UTC') as day, merchant_id, campaign_id, listing_id, placement, position, search_term, device,
  model_version, true as sponsored,
  toUInt64(0) as impressions, toUInt64(0) as viewable_impressions, toUInt64(0) as clicks,
  countIf(interaction_type = 'impression' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_impressions,
  countIf(interaction_type = 'click' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_clicks,
  sum(amount_micros) as spend_micros
from charges_v1
group by day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored;

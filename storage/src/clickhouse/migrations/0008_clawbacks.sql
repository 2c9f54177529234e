-- A charge given back is a row of its own in charges_v1: outcome 'clawed_back', the amount negative, at the time of the charge, so that
-- the views of 0004 lower the spend of its day. These count the interaction among the invalid ones. Deduplicated like every view.
create materialized view if not exists clawbacks_to_minute_mv_v1 to performance_minute_v1 as
select
  toStartOfMinute(occurred_at) as minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device,
  model_version, true as sponsored,
  toUInt64(0) as impressions, toUInt64(0) as viewable_impressions, toUInt64(0) as clicks,
  countIf(interaction_type = 'impression') as invalid_impressions, countIf(interaction_type = 'click') as invalid_clicks,
  toInt64(0) as spend_micros
from charges_v1
where outcome = 'clawed_back'
group by minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored;

create materialized view if not exists clawbacks_to_day_mv_v1 to performance_day_v1 as
select
  toDate(occurred_at, 'UTC') as day, merchant_id, campaign_id, listing_id, placement, position, search_term, device,
  model_version, true as sponsored,
  toUInt64(0) as impressions, toUInt64(0) as viewable_impressions, toUInt64(0) as clicks,
  countIf(interaction_type = 'impression') as invalid_impressions, countIf(interaction_type = 'click') as invalid_clicks,
  toInt64(0) as spend_micros
from charges_v1
where outcome = 'clawed_back'
group by day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored;

-- How far attribution has come: through which stored event (see attributions_v1). One row counts, the last (read with FINAL).
create table if not exists attribution_progress_v1 (
  name            LowCardinality(String),
  events_through  DateTime64(3, 'UTC'),
  run_at          DateTime64(3, 'UTC')
) engine = ReplacingMergeTree(run_at)
order by name;

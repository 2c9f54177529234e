-- A view's block may be lost although its token is remembered, and rows of a rollup do not say whose events they count. So each block brings
-- receipts: one row for each batch and each hour (each day) that it counts, beside the totals and in the same part, so that both are stored or
-- neither. source_batch is '<view>/<batch>' in a receipt and '' in a total; readers of totals ask for ''. A receipt counts nothing; its
-- batchesMap says how often the batch is counted, and keeps SummingMergeTree from dropping the row. Receipts are forgotten after 30 days.
alter table performance_minute_v1
  add column if not exists source_batch String,
  add column if not exists batchesMap Nested(id UInt8, times Int64),
  add column if not exists forget_at DateTime('UTC') default '2106-01-01 00:00:00',
  modify order by (minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored, source_batch);

alter table performance_minute_v1
  modify ttl minute + interval 13 month, forget_at delete where source_batch != ''
  settings materialize_ttl_after_modify = 0;

alter table performance_day_v1
  add column if not exists source_batch String,
  add column if not exists batchesMap Nested(id UInt8, times Int64),
  add column if not exists forget_at DateTime('UTC') default '2106-01-01 00:00:00',
  modify order by (day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored, source_batch);

alter table performance_day_v1
  modify ttl forget_at delete where source_batch != ''
  settings materialize_ttl_after_modify = 0;

-- The views of 0004 and 0008, with receipts. Rows that ingest stores again after a fault (…:again-n) are theirs no more: it adds them up itself.

alter table interactions_to_minute_mv_v1 modify query
select
  if(is_receipt, receipt_bucket, bucket) as minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version,
  sponsored,
  if(is_receipt, toUInt64(0), impressions_counted) as impressions,
  if(is_receipt, toUInt64(0), viewable_impressions_counted) as viewable_impressions,
  if(is_receipt, toUInt64(0), clicks_counted) as clicks,
  toUInt64(0) as invalid_impressions,
  toUInt64(0) as invalid_clicks,
  toInt64(0) as spend_micros,
  if(is_receipt, concat('interactions/', source_batch), '') as source_batch,
  if(is_receipt, [toUInt8(1)], emptyArrayUInt8()) as `batchesMap.id`,
  if(is_receipt, [toInt64(1)], emptyArrayInt64()) as `batchesMap.times`,
  if(is_receipt, now('UTC') + interval 30 day, toDateTime('2106-01-01 00:00:00', 'UTC')) as forget_at
from (
  select
    toStartOfMinute(occurred_at) as bucket, toStartOfHour(occurred_at) as receipt_bucket,
    merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored, source_batch,
    grouping(source_batch) = 0 as is_receipt,
    countIf(type = 'impression') as impressions_counted,
    countIf(type = 'viewable') as viewable_impressions_counted,
    countIf(type = 'click') as clicks_counted
  from interactions_v1
  where position(source_batch, ':again-') = 0
  group by grouping sets (
    (bucket, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored),
    (receipt_bucket, source_batch)));

alter table interactions_to_day_mv_v1 modify query
select
  bucket as day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version,
  sponsored,
  if(is_receipt, toUInt64(0), impressions_counted) as impressions,
  if(is_receipt, toUInt64(0), viewable_impressions_counted) as viewable_impressions,
  if(is_receipt, toUInt64(0), clicks_counted) as clicks,
  toUInt64(0) as invalid_impressions,
  toUInt64(0) as invalid_clicks,
  toInt64(0) as spend_micros,
  if(is_receipt, concat('interactions/', source_batch), '') as source_batch,
  if(is_receipt, [toUInt8(1)], emptyArrayUInt8()) as `batchesMap.id`,
  if(is_receipt, [toInt64(1)], emptyArrayInt64()) as `batchesMap.times`,
  if(is_receipt, now('UTC') + interval 30 day, toDateTime('2106-01-01 00:00:00', 'UTC')) as forget_at
from (
  select
    toDate(occurred_at, 'UTC') as bucket,
    merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored, source_batch,
    grouping(source_batch) = 0 as is_receipt,
    countIf(type = 'impression') as impressions_counted,
    countIf(type = 'viewable') as viewable_impressions_counted,
    countIf(type = 'click') as clicks_counted
  from interactions_v1
  where position(source_batch, ':again-') = 0
  group by grouping sets (
    (bucket, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored),
    (bucket, source_batch)));

alter table charges_to_minute_mv_v1 modify query
select
  if(is_receipt, receipt_bucket, bucket) as minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version,
  not is_receipt as sponsored,
  toUInt64(0) as impressions,
  toUInt64(0) as viewable_impressions,
  toUInt64(0) as clicks,
  if(is_receipt, toUInt64(0), invalid_impressions_counted) as invalid_impressions,
  if(is_receipt, toUInt64(0), invalid_clicks_counted) as invalid_clicks,
  if(is_receipt, toInt64(0), spend_micros_counted) as spend_micros,
  if(is_receipt, concat('charges/', source_batch), '') as source_batch,
  if(is_receipt, [toUInt8(1)], emptyArrayUInt8()) as `batchesMap.id`,
  if(is_receipt, [toInt64(1)], emptyArrayInt64()) as `batchesMap.times`,
  if(is_receipt, now('UTC') + interval 30 day, toDateTime('2106-01-01 00:00:00', 'UTC')) as forget_at
from (
  select
    toStartOfMinute(occurred_at) as bucket, toStartOfHour(occurred_at) as receipt_bucket,
    merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, source_batch,
    grouping(source_batch) = 0 as is_receipt,
    countIf(interaction_type = 'impression' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_impressions_counted,
    countIf(interaction_type = 'click' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_clicks_counted,
    sum(amount_micros) as spend_micros_counted
  from charges_v1
  where position(source_batch, ':again-') = 0
  group by grouping sets (
    (bucket, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version),
    (receipt_bucket, source_batch)));

alter table charges_to_day_mv_v1 modify query
select
  bucket as day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version,
  not is_receipt as sponsored,
  toUInt64(0) as impressions,
  toUInt64(0) as viewable_impressions,
  toUInt64(0) as clicks,
  if(is_receipt, toUInt64(0), invalid_impressions_counted) as invalid_impressions,
  if(is_receipt, toUInt64(0), invalid_clicks_counted) as invalid_clicks,
  if(is_receipt, toInt64(0), spend_micros_counted) as spend_micros,
  if(is_receipt, concat('charges/', source_batch), '') as source_batch,
  if(is_receipt, [toUInt8(1)], emptyArrayUInt8()) as `batchesMap.id`,
  if(is_receipt, [toInt64(1)], emptyArrayInt64()) as `batchesMap.times`,
  if(is_receipt, now('UTC') + interval 30 day, toDateTime('2106-01-01 00:00:00', 'UTC')) as forget_at
from (
  select
    toDate(occurred_at, 'UTC') as bucket,
    merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, source_batch,
    grouping(source_batch) = 0 as is_receipt,
    countIf(interaction_type = 'impression' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_impressions_counted,
    countIf(interaction_type = 'click' and outcome = 'not_charged' and not startsWith(reason, 'over_')) as invalid_clicks_counted,
    sum(amount_micros) as spend_micros_counted
  from charges_v1
  where position(source_batch, ':again-') = 0
  group by grouping sets (
    (bucket, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version),
    (bucket, source_batch)));

alter table clawbacks_to_minute_mv_v1 modify query
select
  if(is_receipt, receipt_bucket, bucket) as minute, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version,
  not is_receipt as sponsored,
  toUInt64(0) as impressions,
  toUInt64(0) as viewable_impressions,
  toUInt64(0) as clicks,
  if(is_receipt, toUInt64(0), invalid_impressions_counted) as invalid_impressions,
  if(is_receipt, toUInt64(0), invalid_clicks_counted) as invalid_clicks,
  toInt64(0) as spend_micros,
  if(is_receipt, concat('clawbacks/', source_batch), '') as source_batch,
  if(is_receipt, [toUInt8(1)], emptyArrayUInt8()) as `batchesMap.id`,
  if(is_receipt, [toInt64(1)], emptyArrayInt64()) as `batchesMap.times`,
  if(is_receipt, now('UTC') + interval 30 day, toDateTime('2106-01-01 00:00:00', 'UTC')) as forget_at
from (
  select
    toStartOfMinute(occurred_at) as bucket, toStartOfHour(occurred_at) as receipt_bucket,
    merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, source_batch,
    grouping(source_batch) = 0 as is_receipt,
    countIf(interaction_type = 'impression') as invalid_impressions_counted,
    countIf(interaction_type = 'click') as invalid_clicks_counted
  from charges_v1
  where position(source_batch, ':again-') = 0 and outcome = 'clawed_back'
  group by grouping sets (
    (bucket, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version),
    (receipt_bucket, source_batch)));

alter table clawbacks_to_day_mv_v1 modify query
select
  bucket as day, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version,
  not is_receipt as sponsored,
  toUInt64(0) as impressions,
  toUInt64(0) as viewable_impressions,
  toUInt64(0) as clicks,
  if(is_receipt, toUInt64(0), invalid_impressions_counted) as invalid_impressions,
  if(is_receipt, toUInt64(0), invalid_clicks_counted) as invalid_clicks,
  toInt64(0) as spend_micros,
  if(is_receipt, concat('clawbacks/', source_batch), '') as source_batch,
  if(is_receipt, [toUInt8(1)], emptyArrayUInt8()) as `batchesMap.id`,
  if(is_receipt, [toInt64(1)], emptyArrayInt64()) as `batchesMap.times`,
  if(is_receipt, now('UTC') + interval 30 day, toDateTime('2106-01-01 00:00:00', 'UTC')) as forget_at
from (
  select
    toDate(occurred_at, 'UTC') as bucket,
    merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, source_batch,
    grouping(source_batch) = 0 as is_receipt,
    countIf(interaction_type = 'impression') as invalid_impressions_counted,
    countIf(interaction_type = 'click') as invalid_clicks_counted
  from charges_v1
  where position(source_batch, ':again-') = 0 and outcome = 'clawed_back'
  group by grouping sets (
    (bucket, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version),
    (bucket, source_batch)));

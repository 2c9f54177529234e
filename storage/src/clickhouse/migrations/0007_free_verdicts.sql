-- Billing's verdicts on interactions that are valid and cost nothing under their pricing (a cpc impression, a cpm click), from the
-- charges topic: one row an event, which holds many. Deduplicated like auctions_v1.
create table if not exists free_verdicts_v1 (
  event_id           String,
  -- when billing judged them
  occurred_at        DateTime64(3, 'UTC'),
  received_at        DateTime64(3, 'UTC'),
  interaction_ids    Array(String),
  interaction_types  Array(LowCardinality(String)),
  interaction_times  Array(DateTime64(3, 'UTC')),
  merchant_ids       Array(LowCardinality(String)),
  campaign_ids       Array(LowCardinality(String)),
  source_batch       String
) engine = MergeTree
partition by toYYYYMM(occurred_at)
order by (toStartOfHour(occurred_at), event_id)
ttl toDateTime(occurred_at) + interval 13 month
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- The verdict of every sponsored interaction, one row each: valid (charged, free, or valid and beyond a limit: reason over_…), or
-- invalid with the reason.
create view if not exists verdicts_v1 as
select interaction_id, toString(interaction_type) as interaction_type, occurred_at, toString(merchant_id) as merchant_id,
  toString(campaign_id) as campaign_id, cast(outcome = 'charged' or startsWith(reason, 'over_'), 'Bool') as valid,
  toString(reason) as reason, cast(outcome = 'charged', 'Bool') as charged, amount_micros
from charges_v1
where outcome in ('charged', 'not_charged')
union all
select interaction_id, toString(interaction_type) as interaction_type, interaction_time as occurred_at,
  toString(merchant_id) as merchant_id, toString(campaign_id) as campaign_id, true as valid, '' as reason, false as charged,
  toInt64(0) as amount_micros
from free_verdicts_v1
array join interaction_ids as interaction_id, interaction_types as interaction_type, interaction_times as interaction_time,
  merchant_ids as merchant_id, campaign_ids as campaign_id;

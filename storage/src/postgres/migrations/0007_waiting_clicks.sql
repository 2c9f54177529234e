-- Clicks that came before their impression wait here until it comes, or until the log's own time has passed their deadline.
create table waiting_clicks (
  -- in the order of the log
  id              bigint generated always as identity primary key,
  interaction_id  text not null unique,
  -- of the interactions topic: a click is judged where it came
  partition       integer not null,
  auction_id      text not null,
  position        integer not null,
  deadline        timestamptz not null,
  -- what billing read of it, as JSON: slot, offer, times
  interaction     text not null
);
create index waiting_clicks_by_slot on waiting_clicks (auction_id, position);
create index waiting_clicks_by_deadline on waiting_clicks (partition, deadline);

-- How far the log's own time has come: the latest arrival among the events that the consumer has passed.
alter table consumer_offsets add column watermark timestamptz;

-- Spend by week and month ('week:<its Monday>', 'month:YYYY-MM'), beside the days and the total.
insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at)
select campaign_id, period, merchant_id, sum(amount_micros), max(created_at)
from charges
cross join lateral (values
  ('week:' || to_char(date_trunc('week', budget_day::timestamp), 'YYYY-MM-DD')),
  ('month:' || to_char(budget_day, 'YYYY-MM'))) as p (period)
where outcome = 'charged'
group by campaign_id, period, merchant_id;

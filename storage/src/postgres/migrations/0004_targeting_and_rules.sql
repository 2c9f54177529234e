-- Limits by week and month, the campaign's own time zone, frequency caps by hour, day and week, and the operator's rules.

alter table campaigns
  add column budget_weekly_micros bigint check (budget_weekly_micros > 0),
  add column budget_monthly_micros bigint check (budget_monthly_micros > 0),
  -- of the dayparts; null: the merchant's
  add column time_zone text;

-- A cap used to be so many impressions within so many hours: the next longer of the three windows keeps the promise.
update campaigns set frequency_cap = jsonb_build_object(
  case when (frequency_cap ->> 'perHours')::int <= 1 then 'hour'
       when (frequency_cap ->> 'perHours')::int <= 24 then 'day' else 'week' end,
  (frequency_cap ->> 'impressions')::int)
where frequency_cap ? 'perHours';

update campaigns set targeting = targeting || '{"devices": [], "listingRadiusKm": null}';

-- One document for all auctions, as the change feed carries it.
create table rules (
  id          text primary key check (id = 'rules'),
  state       jsonb not null,
  version     integer not null,
  updated_at  timestamptz not null
);

-- Where the pacing controller is with each active campaign: one row, overwritten at every step, so that a restart goes on from it.
create table pacing_states (
  campaign_id             text primary key references campaigns (id),
  -- the merchant's budget day
  day                     date not null,
  -- share of the day's forecast traffic, within the campaign's hours, gone by at stepped_at
  share                   double precision not null check (share between 0 and 1),
  -- null: the campaign is not paced (as fast as possible, or without a limit to spread)
  allowance_micros        bigint,
  -- where the target begins: share and spend at that time
  origin_share            double precision not null,
  origin_spent_micros     bigint not null,
  multiplier              double precision not null check (multiplier between 0 and 1),
  pass_through            double precision not null check (pass_through between 0 and 1),
  -- spent and in flight at stepped_at, and how fast it grows
  position_micros         bigint not null,
  rate_micros_per_second  double precision not null,
  stepped_at              timestamptz not null
);

-- Over-delivery is counted often and is rare.
create index charges_over_limit on charges (campaign_id, budget_day) where left(reason, 5) = 'over_';
create index charges_over_limit_by_time on charges (created_at) where left(reason, 5) = 'over_';

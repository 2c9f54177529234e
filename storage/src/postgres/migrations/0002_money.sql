-- Double-entry ledger: each transaction's entries sum to zero, entries are never changed.

create table ledger_accounts (
  -- 'wallet:<merchant>', 'revenue:EUR', 'cash:EUR', 'refunds:EUR', 'coupon_subsidy:EUR', 'cashback_payable:EUR'
  id              text primary key,
  kind            text not null check (kind in ('wallet', 'revenue', 'cash', 'refunds', 'coupon_subsidy', 'cashback_payable')),
  merchant_id     text references merchants (id),
  currency        text not null,
  -- Kept for wallets only, in the transaction that writes the entries: the wallet limit is checked against it.
  balance_micros  bigint not null default 0 check (kind <> 'wallet' or balance_micros >= 0),
  updated_at      timestamptz not null
);
create index ledger_accounts_changed on ledger_accounts (updated_at) where kind = 'wallet';

create table ledger_entries (
  id               bigint generated always as identity primary key,
  -- one transaction = entries that sum to zero, e.g. 'ltx_…' or the charge's id
  transaction_id   text not null,
  -- unique per entry: a repeated posting changes nothing
  idempotency_key  text not null unique,
  kind             text not null check (kind in ('deposit', 'charge', 'refund', 'credit', 'clawback')),
  account_id       text not null references ledger_accounts (id),
  amount_micros    bigint not null check (amount_micros <> 0),
  currency         text not null,
  reference        text not null default '',
  occurred_at      timestamptz not null,
  created_at       timestamptz not null
);
create index ledger_entries_by_account on ledger_entries (account_id, id);
create index ledger_entries_by_transaction on ledger_entries (transaction_id);

create table deposits (
  id             text primary key,
  merchant_id    text not null references merchants (id),
  amount_micros  bigint not null check (amount_micros > 0),
  currency       text not null,
  reference      text not null,
  created_at     timestamptz not null
);
create index deposits_by_merchant on deposits (merchant_id, id);

-- One row per billable interaction: charged, or not charged with the reason.
create table charges (
  id                text primary key,
  -- the interaction event's id: one verdict each
  interaction_id    text not null unique,
  interaction_type  text not null,
  auction_id        text not null,
  position          integer not null,
  merchant_id       text not null,
  campaign_id       text not null,
  ad_id             text not null,
  listing_id        text not null,
  pricing           text not null check (pricing in ('cpc', 'cpm')),
  amount_micros     bigint not null check (amount_micros >= 0),
  price_micros      bigint not null,
  currency          text not null,
  outcome           text not null check (outcome in ('charged', 'not_charged')),
  reason            text not null default '',
  -- the merchant's budget day it counts against
  budget_day        date not null,
  occurred_at       timestamptz not null,
  created_at        timestamptz not null,
  check ((outcome = 'charged') = (reason = '')),
  check (outcome = 'charged' or amount_micros = 0)
);
-- The last defence against billing twice, whatever the code above it does.
create unique index charges_once_per_slot on charges (auction_id, position, pricing) where outcome = 'charged';
create index charges_by_campaign on charges (campaign_id, budget_day);
create index charges_by_merchant on charges (merchant_id, created_at);

-- Impressions that billing has seen: a click needs one, and only the first of each counts. The events' ids tell a second
-- impression or click from the first one delivered again. Purged 48 h after they were recorded, so 48 h of event time at least.
create table seen_impressions (
  auction_id     text not null,
  position       integer not null,
  impression_id  text not null,
  occurred_at    timestamptz not null,
  -- the first click that counted
  click_id       text,
  recorded_at    timestamptz not null,
  primary key (auction_id, position)
);
create index seen_impressions_by_record_time on seen_impressions (recorded_at);

-- Spend against the limits of a campaign; `period` is 'total' or a budget day 'YYYY-MM-DD' in the merchant's time zone.
create table spend_counters (
  campaign_id    text not null references campaigns (id),
  period         text not null,
  merchant_id    text not null,
  spent_micros   bigint not null default 0 check (spent_micros >= 0),
  -- CPM only: thousandths of a micro carried over, so that 1000 impressions cost exactly one CPM price
  carry          bigint not null default 0,
  updated_at     timestamptz not null,
  primary key (campaign_id, period)
);
create index spend_counters_changed on spend_counters (updated_at);

-- The offsets of consumers whose effects live in this database, moved in the same transaction: a stale consumer's transaction fails here.
create table consumer_offsets (
  consumer     text not null,
  topic        text not null,
  partition    integer not null,
  next_offset  bigint not null,
  updated_at   timestamptz not null,
  primary key (consumer, topic, partition)
);

-- Corrections of the ledger: money paid back out of wallets, goodwill credits, and charges found invalid after they were made.

-- 'marketing:EUR' gives goodwill credits.
alter table ledger_accounts drop constraint ledger_accounts_kind_check;
alter table ledger_accounts add constraint ledger_accounts_kind_check
  check (kind in ('wallet', 'revenue', 'cash', 'refunds', 'marketing', 'coupon_subsidy', 'cashback_payable'));

create table refunds (
  id             text primary key,
  merchant_id    text not null references merchants (id),
  amount_micros  bigint not null check (amount_micros > 0),
  currency       text not null,
  reference      text not null,
  created_at     timestamptz not null
);
create index refunds_by_merchant on refunds (merchant_id, id);

create table credits (
  id             text primary key,
  merchant_id    text not null references merchants (id),
  amount_micros  bigint not null check (amount_micros > 0),
  currency       text not null,
  reason         text not null,
  created_at     timestamptz not null
);
create index credits_by_merchant on credits (merchant_id, id);

-- One row a decision to give charges back.
create table clawbacks (
  id            text primary key,
  reason        text not null check (reason in ('bot', 'fraud', 'data_center', 'repeat', 'other')),
  -- the API key that asked for it
  requested_by  text not null,
  created_at    timestamptz not null
);

-- The charges that it gave back. A charge itself never changes; the key is what gives it back once, whoever asks how often.
create table clawed_back_charges (
  charge_id      text primary key,
  clawback_id    text not null references clawbacks (id),
  campaign_id    text not null,
  budget_day     date not null,
  amount_micros  bigint not null check (amount_micros >= 0),
  currency       text not null,
  -- of the charge
  occurred_at    timestamptz not null,
  created_at     timestamptz not null
);
create index clawed_back_charges_by_clawback on clawed_back_charges (clawback_id);
create index clawed_back_charges_by_campaign on clawed_back_charges (campaign_id, budget_day);

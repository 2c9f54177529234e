-- Truth for money and intent. Amounts are BIGINT micros; times are timestamptz in UTC.

create table merchants (
  id          text primary key,
  name        text not null,
  currency    text not null check (currency ~ '^[A-Z]{3}$'),
  time_zone   text not null,
  version     integer not null default 1,
  created_at  timestamptz not null,
  updated_at  timestamptz not null
);

create table listings (
  id            text primary key,
  merchant_id   text not null references merchants (id),
  title         text not null,
  url           text not null,
  categories    text[] not null,
  price_micros  bigint not null check (price_micros >= 0),
  currency      text not null,
  lat           double precision,
  lng           double precision,
  attributes    jsonb not null default '{}',
  status        text not null check (status in ('active', 'inactive')),
  -- of the caller's content: an unchanged item writes nothing
  content_hash  text not null,
  version       integer not null default 1,
  created_at    timestamptz not null,
  updated_at    timestamptz not null
);
create index listings_by_merchant on listings (merchant_id, id);

create table campaigns (
  id                   text primary key,
  merchant_id          text not null references merchants (id),
  name                 text not null,
  status               text not null check (status in ('draft', 'active', 'paused', 'archived')),
  pricing              text not null check (pricing in ('cpc', 'cpm')),
  bid_micros           bigint not null check (bid_micros > 0),
  budget_daily_micros  bigint check (budget_daily_micros > 0),
  budget_total_micros  bigint check (budget_total_micros > 0),
  starts_at            timestamptz,
  ends_at              timestamptz,
  dayparts             jsonb not null default '[]',
  pacing               text not null check (pacing in ('even', 'asap')),
  targeting            jsonb not null default '{}',
  placements           text[] not null default '{}',
  target_roas          double precision,
  frequency_cap        jsonb,
  version              integer not null default 1,
  created_at           timestamptz not null,
  updated_at           timestamptz not null
);
create index campaigns_by_merchant on campaigns (merchant_id, id);

create table ads (
  id           text primary key,
  campaign_id  text not null references campaigns (id),
  listing_id   text not null references listings (id),
  -- an ad taken out of its campaign is kept: charges point at it
  removed_at   timestamptz,
  created_at   timestamptz not null,
  unique (campaign_id, listing_id)
);
create index ads_by_listing on ads (listing_id);

create table api_keys (
  id          text primary key,
  name        text not null,
  hash        text not null unique,
  scopes      text[] not null,
  created_at  timestamptz not null,
  revoked_at  timestamptz
);

-- The first answer to a creating call, given again when the call is repeated.
create table idempotency_keys (
  -- who (key id) and what (method and path)
  scope       text not null,
  key         text not null,
  body_hash   text not null,
  status      integer,
  -- json, not jsonb: the answer is given again with its fields in the same order
  response    json,
  created_at  timestamptz not null,
  primary key (scope, key)
);

-- Events waiting to be appended to the log. A writer takes the topic's advisory lock before it inserts,
-- so within a topic ids are handed out in commit order and the relay may read by id.
create table outbox (
  id          bigint generated always as identity primary key,
  topic       text not null,
  key         text not null,
  value       text not null,
  -- W3C trace context of what wrote it; null without a trace
  traceparent text,
  created_at  timestamptz not null
);
create index outbox_by_topic on outbox (topic, id);

create table orders (
  id             text primary key,
  -- keyed hash; the plain id lives only in the snapshot below
  customer_hash  text not null,
  currency       text not null,
  total_micros   bigint not null,
  placed_at      timestamptz not null,
  -- what was ordered as it was then (titles, merchants, prices): later changes of a listing do not reach it
  snapshot       jsonb not null,
  body_hash      text not null,
  created_at     timestamptz not null
);
create index orders_by_time on orders (created_at, id);

create table order_lines (
  order_id           text not null references orders (id),
  line_id            text not null,
  listing_id         text not null,
  merchant_id        text,
  quantity           integer not null check (quantity > 0),
  unit_price_micros  bigint not null check (unit_price_micros >= 0),
  primary key (order_id, line_id)
);

create table models (
  version       text primary key,
  kind          text not null check (kind in ('ranking')),
  status        text not null check (status in ('candidate', 'rejected', 'live', 'retired')),
  feature_set   text not null,
  -- the ONNX file; its metadata holds the golden rows
  onnx          bytea not null,
  sha256        text not null,
  metrics       jsonb not null,
  gate          jsonb not null,
  trained_rows  bigint not null,
  created_at    timestamptz not null,
  promoted_at   timestamptz,
  promoted_by   text,
  -- when and by whom it was last taken from live again
  rolled_back_at  timestamptz,
  rolled_back_by  text
);
create unique index models_one_live on models (kind) where status = 'live';
create index models_by_time on models (created_at);

-- Blobs that ad-servers pick up by version, such as the smoothed statistics. The newest few are kept.
create table snapshots (
  kind        text not null,
  version     bigint generated always as identity,
  content     bytea not null,
  created_at  timestamptz not null,
  primary key (kind, version)
);

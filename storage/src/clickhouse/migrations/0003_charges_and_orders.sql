-- Billing's verdicts, from the charges topic. Deduplicated like auctions_v1.
create table if not exists charges_v1 (
  event_id          String,
  occurred_at       DateTime64(3, 'UTC'),
  received_at       DateTime64(3, 'UTC'),
  charge_id         String,
  interaction_id    String,
  interaction_type  LowCardinality(String),
  auction_id        String,
  position          UInt16,
  placement         LowCardinality(String),
  search_term       String,
  device            LowCardinality(String),
  model_version     LowCardinality(String),
  merchant_id       String,
  campaign_id       String,
  ad_id             String,
  listing_id        String,
  pricing           LowCardinality(String),
  amount_micros     Int64,
  price_micros      Int64,
  currency          LowCardinality(String),
  outcome           LowCardinality(String),
  reason            LowCardinality(String),
  source_batch      String
) engine = MergeTree
partition by toYYYYMM(occurred_at)
order by (toStartOfHour(occurred_at), event_id)
ttl toDateTime(occurred_at) + interval 13 month
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row an order line. Deduplicated like auctions_v1 (event_id is the order event's, line_id tells lines apart).
create table if not exists order_lines_v1 (
  event_id           String,
  occurred_at        DateTime64(3, 'UTC'),
  received_at        DateTime64(3, 'UTC'),
  order_id           String,
  line_id            String,
  customer_hash      String,
  listing_id         String,
  merchant_id        String,
  quantity           UInt32,
  unit_price_micros  Int64,
  currency           LowCardinality(String),
  source_batch       String
) engine = MergeTree
partition by toYYYYMM(occurred_at)
order by (toStartOfHour(occurred_at), event_id, line_id)
ttl toDateTime(occurred_at) + interval 13 month
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Which touch earned which order line: last touch, click 14 days, view 1 day, same listing. Recomputed for late touches:
-- the row of the highest version counts (read with FINAL). No touch: no row.
create table if not exists attributions_v1 (
  order_id          String,
  line_id           String,
  model             LowCardinality(String),
  order_at          DateTime64(3, 'UTC'),
  customer_hash     String,
  listing_id        String,
  merchant_id       String,
  quantity          UInt32,
  sales_micros      Int64,
  currency          LowCardinality(String),
  touch_event_id    String,
  touch_type        LowCardinality(String),
  touch_at          DateTime64(3, 'UTC'),
  auction_id        String,
  position          UInt16,
  placement         LowCardinality(String),
  search_term       String,
  device            LowCardinality(String),
  model_version     LowCardinality(String),
  campaign_id       String,
  ad_id             String,
  sponsored         Bool,
  version           UInt64
) engine = ReplacingMergeTree(version)
partition by toYYYYMM(order_at)
order by (order_id, line_id, model)
ttl toDateTime(order_at) + interval 13 month;

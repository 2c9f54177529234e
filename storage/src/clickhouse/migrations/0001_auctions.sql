-- Parts are synced before an insert is answered (fsync_*): the log's offset moves on only over rows that survive a power cut.

-- One row an auction. Deduplicated on insert by token (window below) and, before insert, by event_id among rows of other
-- batches (source_batch tells them apart). ORDER BY hour then id: the duplicate lookup and time-ranged reports read few granules.
create table if not exists auctions_v1 (
  event_id       String,
  occurred_at    DateTime64(3, 'UTC'),
  received_at    DateTime64(3, 'UTC'),
  auction_id     String,
  request_id     String,
  placement      LowCardinality(String),
  query          String,
  search_term    String,
  categories     Array(LowCardinality(String)),
  device         LowCardinality(String),
  customer_hash  String,
  session_hash   String,
  model_version  LowCardinality(String),
  degraded       Array(LowCardinality(String)),
  candidates     UInt32,
  drops          Map(LowCardinality(String), UInt32),
  source_batch   String
) engine = MergeTree
partition by toYYYYMM(occurred_at)
order by (toStartOfHour(occurred_at), event_id)
ttl toDateTime(occurred_at) + interval 13 month
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per shown slot and per logged loser, with features as served: what training reads.
create table if not exists auction_slots_v1 (
  event_id       String,
  occurred_at    DateTime64(3, 'UTC'),
  auction_id     String,
  candidate      UInt16,
  placement      LowCardinality(String),
  search_term    String,
  device         LowCardinality(String),
  model_version  LowCardinality(String),
  position       UInt16,
  listing_id     String,
  merchant_id    String,
  campaign_id    String,
  ad_id          String,
  sponsored      Bool,
  outcome        LowCardinality(String),
  reason         LowCardinality(String),
  pricing        LowCardinality(String),
  bid_micros     Int64,
  price_micros   Int64,
  pctr           Float32,
  pcvr           Float32,
  quality        Float64,
  score          Float64,
  organic_score  Nullable(Float64),
  organic_rank   UInt16,
  feature_set    LowCardinality(String),
  features       Array(Float32),
  source_batch   String
) engine = MergeTree
partition by toYYYYMM(occurred_at)
order by (toStartOfHour(occurred_at), event_id, candidate)
ttl toDateTime(occurred_at) + interval 13 month
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

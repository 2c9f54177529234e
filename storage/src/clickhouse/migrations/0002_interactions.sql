-- One row per impression, viewable, click and add_to_cart, raw: validity is judged by billing (see charges_v1).
-- Deduplicated like auctions_v1.
create table if not exists interactions_v1 (
  event_id       String,
  type           LowCardinality(String),
  occurred_at    DateTime64(3, 'UTC'),
  received_at    DateTime64(3, 'UTC'),
  auction_id     String,
  position       UInt16,
  placement      LowCardinality(String),
  search_term    String,
  device         LowCardinality(String),
  model_version  LowCardinality(String),
  listing_id     String,
  merchant_id    String,
  campaign_id    String,
  ad_id          String,
  sponsored      Bool,
  customer_hash  String,
  channel        LowCardinality(String),
  address_hash   String,
  user_agent     String,
  source_batch   String
) engine = MergeTree
partition by toYYYYMM(occurred_at)
order by (toStartOfHour(occurred_at), event_id)
ttl toDateTime(occurred_at) + interval 13 month
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

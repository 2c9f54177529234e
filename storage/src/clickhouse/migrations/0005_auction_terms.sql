-- What an auction was decided by, so that it can be decided again as long as its rows live, whatever rules and campaigns say by then.
-- Rows of before have has_terms = false: they cannot be.
alter table auctions_v1
  add column if not exists has_terms          Bool default false,
  add column if not exists currency           LowCardinality(String),
  add column if not exists reserve_rule       LowCardinality(String),
  add column if not exists reserve_micros     Int64,
  add column if not exists reserve_cpm_micros Int64,
  add column if not exists squashing          Float64 default 1,
  add column if not exists max_per_merchant   UInt16,
  add column if not exists total_slots        UInt16,
  add column if not exists for_sale           Array(UInt16);

-- Somebody asks for one auction by its id: the filter leaves a few granules of each part to read.
alter table auctions_v1 add index if not exists auction_id_filter auction_id type bloom_filter(0.01) granularity 1;

-- sample_probability: with which probability a loser came into the log; whoever adds up losers divides by it.
alter table auction_slots_v1
  add column if not exists relevance          Float64,
  add column if not exists sample_probability Float64 default 1,
  add column if not exists tie_draw           Nullable(UInt32);

import type { FactPage } from './listing-facts.js'

/**
 * The one definition of features that serving and training share. Rows are float32; a slate is the list of candidates
 * that one request compares (organic and sponsored together).
 */

/** A listing as ranking sees it; made once when it enters the index (`rankedListing`), not per request. */
export interface RankedListing {
  readonly id: string
  readonly title: string
  readonly categories: readonly string[]
  /** Currency units as a float; only ratios within a slate are used. */
  readonly price: number
  /** What ranking has worked out about the listing, once a slate has met it. Ranking's own. */
  facts: FactPage | undefined
  factsAt: number
}

export interface SlateCandidate {
  /** undefined: a listing of the search engine that Endcap doesn't know. */
  readonly listing: RankedListing | undefined
  readonly listingId: string
  /** The search engine's own score; undefined for a sponsored candidate that was not among the organic results. */
  readonly organicScore: number | undefined
  /** 1-based; 0 when it was not among the organic results. */
  readonly organicRank: number
}

export interface SlateContext {
  /** Normalised query ('' without one), as produced by `normaliseText`. */
  readonly searchTerm: string
  /** Hashes of the query's terms (`termHash`), without repeats. */
  readonly queryTerms: readonly number[]
  readonly categories: readonly string[]
  readonly device: string
  /** 0–23, UTC. */
  readonly hour: number
  readonly placement: string
}

/** Smoothed rates from history. Counts are of impressions and clicks at any position. */
export interface StatsView {
  readonly version: string
  /** A number of its own, for a view whose answers never change: what is derived from it may be kept. */
  readonly generation: number | undefined
  /** Overall clicks ÷ impressions, never 0 or 1; the prior of every smoothed rate. */
  readonly priorCtr: number
  /** Overall orders ÷ clicks, never 0 or 1. */
  readonly priorCvr: number
  /** Click rate at the reference position ÷ click rate at any position; 1 when unknown. */
  readonly referenceLift: number
  listing(listingId: string): RateCounts | undefined
  queryListing(searchTerm: string, listingId: string): RateCounts | undefined
  category(category: string): RateCounts | undefined
}

export interface RateCounts {
  readonly impressions: number
  readonly clicks: number
  readonly orders: number
  /** What ranking has worked out from counts that never change (`StatsView.generation`); kept here so that it lies beside them. */
  rates?: { readonly ctr: number; readonly evidence: number } | undefined
}

export interface Predictions {
  /** Probability of a click at the reference position, one per row. */
  readonly pctr: Float32Array
  /** Probability of an order after a click, one per row. */
  readonly pcvr: Float32Array
}

/** A loaded ONNX model. `predict` runs one batch; rows × FEATURE_COUNT floats, row-major. */
export interface Predictor {
  readonly version: string
  readonly featureSet: string
  /** `features` must not change until the promise settles. @throws PredictionError when the model fails or its output is no probability */
  predict(features: Float32Array, rows: number): Promise<Predictions>
  close(): Promise<void>
}

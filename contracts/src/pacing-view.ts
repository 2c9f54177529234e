import { z } from 'zod'
import { microsString } from './scalars.js'

/**
 * What the pacing job tells the ad-servers through the state store: campaign id → its hold on the campaign. Campaigns that are not
 * paced are not in it.
 */
export const PACING_VIEW_KEY = 'endcap:pacing:v1'

export const pacingView = z.object({
  /** What bids are multiplied by, 0…1. */
  multiplier: z.number().min(0).max(1),
  /** Share of the auctions that the campaign takes part in, 0.01…1. */
  passThrough: z.number().min(0).max(1),
})
export type PacingView = z.infer<typeof pacingView>

/** Of a campaign with even pacing that the job has not seen yet: small, so that its first seconds spend little. */
export const STARTING_MULTIPLIER = 0.1

/**
 * Spend in flight: one field for each ad-server process, replaced whole, so that processes never write over each other.
 * Who reads it leaves out fields that have not changed for `IN_FLIGHT_STALE_MS`: their process is gone.
 */
export const IN_FLIGHT_KEY = 'endcap:in-flight:v1'
export const IN_FLIGHT_STALE_MS = 10_000

export const inFlightView = z.object({
  /** Grows with every writing, so that a process that holds the same as before is seen to be alive. */
  sequence: z.int(),
  /** Expected spend of slots already sold, in micros, by campaign and by merchant. */
  campaigns: z.record(z.string(), microsString),
  merchants: z.record(z.string(), microsString),
})

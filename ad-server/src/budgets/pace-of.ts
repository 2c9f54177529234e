import { type PacingView, STARTING_MULTIPLIER } from '@endcap/contracts'
import type { IndexedCampaign } from '../index/indexed-campaign.js'

const UNPACED: PacingView = { multiplier: 1, passThrough: 1 }
const STARTING: PacingView = { multiplier: STARTING_MULTIPLIER, passThrough: 1 }

/** Pacing's hold on a campaign now. One that asks for even pacing begins low, until the pacing job has seen it. */
export const paceOf = ({ pacing, account }: Pick<IndexedCampaign, 'pacing' | 'account'>): PacingView =>
  pacing === 'asap' ? UNPACED : (account.pacing ?? STARTING)

/** Whether the pass-through gate keeps it out of this auction: a draw of its own for each. */
export const isPacedOut = ({ passThrough }: PacingView, random: () => number): boolean =>
  passThrough < 1 && random() >= passThrough

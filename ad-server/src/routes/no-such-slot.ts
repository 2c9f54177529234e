import { EndcapError } from '@endcap/contracts'

/** Whatever is wrong with a token that a browser brings: it tells nobody how near a guess was. */
export const noSuchSlot = new EndcapError('not_found', 'There is no such slot.')

import type { AdIndex, Match } from '../../index/ad-index.js'
import type { AdRequest } from '../ad-request.js'

/** The campaigns that the request's query, categories, items and place meet. */
export function retrieve(index: AdIndex, request: AdRequest): Match[] {
  return index.retrieve({
    terms: request.terms,
    categories: request.context.categories,
    items: request.items,
    location: request.location,
  })
}

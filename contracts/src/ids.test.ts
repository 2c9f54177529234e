import { expect, it } from 'vitest'
import { createIdSource, madeAtMs } from './ids.js'

it('an id says when it was made, to those who know what it names', () => {
  const before = Date.now()
  const id = createIdSource()('auction')
  const after = Date.now()
  expect(madeAtMs('auction', id)).toBeGreaterThanOrEqual(before)
  expect(madeAtMs('auction', id)).toBeLessThanOrEqual(after)
  expect(madeAtMs('charge', id)).toBeUndefined()
})

it('the time of an id is that of RFC 9562, appendix A.6', () => {
  expect(madeAtMs('auction', 'auc_017f22e279b07cc398c4dc0c0c07398f')).toBe(Date.parse('2022-02-22T19:22:22Z'))
})

it.each([
  'auc_1',
  'auc_',
  'L1',
  'auc_017f22e279b04cc398c4dc0c0c07398f',
  'auc_017f22e279b07cc3c8c4dc0c0c07398f',
  'auc_017f22e279b07cc398c4dc0c0c07398f0',
])('%s says nothing', (id) => {
  expect(madeAtMs('auction', id)).toBeUndefined()
})

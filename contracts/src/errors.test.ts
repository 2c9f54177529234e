import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { EndcapError, fieldErrorsOf, problemOf } from './errors.js'
import { createCampaignBody, listingInput } from './http/campaigns.js'
import { reportQueryBody } from './http/reports.js'
import { rankBody } from './http/serving.js'
import { instant } from './scalars.js'

const errorsOf = (schema: z.ZodType, value: unknown) => {
  const result = schema.safeParse(value)
  return result.success ? [] : fieldErrorsOf(result.error).map(({ path }) => path)
}

describe('field errors', () => {
  it('name an unknown field by its own path', () => {
    expect(errorsOf(rankBody, { placement: 'search', slots: { total: 1, first: 2 } })).toEqual([
      '/slots/first',
    ])
  })

  it('escape a pointer’s special characters', () => {
    expect(errorsOf(z.strictObject({}), { 'a/b~c': 1 })).toEqual(['/a~1b~0c'])
  })

  it('become a problem document with the code’s status', () => {
    const error = new EndcapError('validation_failed', 'one field', [
      { path: '/bid', message: 'must be more than 0' },
    ])
    expect(problemOf(error, 'req_1')).toEqual({
      type: 'urn:endcap:error:validation_failed',
      title: 'Some fields are not valid',
      status: 422,
      code: 'validation_failed',
      detail: 'one field',
      requestId: 'req_1',
      errors: [{ path: '/bid', message: 'must be more than 0' }],
    })
  })
})

const campaign = {
  merchantId: 'mer_1',
  name: 'c',
  pricing: 'cpc',
  bid: '0.75',
  budget: { daily: '10' },
  pacing: 'even',
  listings: ['L1'],
}
const listing = {
  id: 'L1',
  merchantId: 'm',
  title: 't',
  url: 'https://shop.example/p',
  categories: [],
  price: '1.00',
  currency: 'EUR',
}

describe('request schemas', () => {
  it.each([
    [{ ...campaign, bid: 0.75 }, ['/bid']],
    [{ ...campaign, bid: '-1' }, ['/bid']],
    [{ ...campaign, bid: '0' }, ['/bid']],
    [{ ...campaign, bid: '0.0000001' }, ['/bid']],
    [{ ...campaign, budget: { daily: 'NaN' } }, ['/budget/daily']],
    [{ ...campaign, listings: [] }, ['/listings']],
    [{ ...campaign, startsAt: '2026-01-02T00:00:00Z', endsAt: '2026-01-01T00:00:00Z' }, ['/endsAt']],
    [{ ...campaign, dayparts: [{ days: [1], from: '10:00', to: '09:00' }] }, ['/dayparts/0/to']],
    [campaign, []],
  ])('check a campaign: %#', (body, paths) => {
    expect(errorsOf(createCampaignBody, body)).toEqual(paths)
  })

  it.each([
    [{ ...listing, url: 'javascript:alert(1)' }, ['/url']],
    [{ ...listing, url: '//evil.example' }, ['/url']],
    [{ ...listing, url: 'https://user:pass@shop.example/' }, ['/url']],
    [{ ...listing, id: 'a\u0000b' }, ['/id']],
    [{ ...listing, currency: 'EURO' }, ['/currency']],
    [{ ...listing, location: { lat: 91, lng: 0 } }, ['/location/lat']],
    [listing, []],
  ])('check a listing: %#', (body, paths) => {
    expect(errorsOf(listingInput, body)).toEqual(paths)
  })

  it('take instants as RFC 3339 writes them, in either case', () => {
    for (const text of ['2026-01-05T12:00:00Z', '2026-01-05t12:00:00z', '2026-01-05t12:00:00.5+01:00'])
      expect(instant.parse(text)).toBe(text.toUpperCase())
    for (const text of [
      '2026-01-05T12:00:00',
      '2026-01-05',
      '2026-02-30t12:00:00z',
      '2026-01-05 12:00:00z',
      '',
      5,
    ])
      expect(instant.safeParse(text).success, String(text)).toBe(false)
  })

  it('keep sponsored positions within the page and apart', () => {
    const slots = (sponsored: number[]) => ({ placement: 'search', slots: { total: 2, sponsored } })
    expect(errorsOf(rankBody, slots([1, 2]))).toEqual([])
    expect(errorsOf(rankBody, slots([3]))).toEqual(['/slots/sponsored'])
    expect(errorsOf(rankBody, slots([1, 1]))).toEqual(['/slots/sponsored'])
  })

  it('take only known metrics and a range that goes forward', () => {
    const body = { metrics: ['spend'], from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00+01:00' }
    expect(errorsOf(reportQueryBody, body)).toEqual([])
    expect(errorsOf(reportQueryBody, { ...body, metrics: ['profit'] })).toEqual(['/metrics/0'])
    expect(errorsOf(reportQueryBody, { ...body, to: body.from })).toEqual(['/to'])
  })
})

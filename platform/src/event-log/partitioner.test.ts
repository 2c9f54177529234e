import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { murmur2, partitionOf } from './partitioner.js'

describe('partitioner', () => {
  // Values of Kafka's own UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %j as Kafka does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })

  it('puts every key where the Kafka client puts it', () => {
    const kafka = Partitioners.DefaultPartitioner()
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 64 }), (key, partitions) => {
        const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
          partitionId,
          leader: 1,
          partitionErrorCode: 0,
          replicas: [],
          isr: [],
        }))
        expect(partitionOf(key, partitions)).toBe(
          kafka({ topic: 't', partitionMetadata, message: { key, value: '' } }),
        )
      }),
    )
  })
})

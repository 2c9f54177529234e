import { expect, it } from 'vitest'
import { bareAddressOf, networkOf, plainAddressOf } from './network-of.js'

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:0201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:201', '192.0.2.1'],
  ['64:ff9b::192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
  ['unknown', 'unknown'],
  ['1.2.3', '1.2.3'],
  ['[::1]', '[::1]'],
  ['::ffff:192.0.2.1/96', '::ffff:192.0.2.1/96'],
])('%s is counted as %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

it.each([
  ['192.0.2.1', '192.0.2.1'],
  [' 192.0.2.1:4711 ', '192.0.2.1'],
  ['[2001:db8:1::7]:443', '2001:db8:1::7'],
  ['[2001:db8:1::7]', '2001:db8:1::7'],
  ['fe80::1%eth0', 'fe80::1'],
  ['[fe80::1%eth0]:80', 'fe80::1'],
  ['2001:db8::1:443', '2001:db8::1:443'],
  ['192.0.2:80', '192.0.2:80'],
  ['[nobody]:80', '[nobody]:80'],
  ['unknown', 'unknown'],
  ['', ''],
])('%s is forwarded for %s', (forwarded, address) => {
  expect(bareAddressOf(forwarded)).toBe(address)
})

it.each([
  ['64:ff9b::cb00:7109', '203.0.113.9'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
  ['nobody', 'nobody'],
])('%s is spelled %s', (address, plain) => {
  expect(plainAddressOf(address)).toBe(plain)
})

import { isIPv4, isIPv6 } from 'node:net'

/** One subscriber is given a whole /64, and may take any address in it at any time. */
const SUBSCRIBER_GROUPS = 4

/** `[2001:db8::1]:443` and `192.0.2.1:4711`: how some proxies write whom they speak for. */
const BRACKETED = /^\[([^\]]*)\](?::\d+)?$/
const WITH_PORT = /^([\d.]+):\d+$/

/**
 * An address as proxies forward it, without what is none of it: port, brackets, zone (`%eth0`), blanks. What is no address then is
 * left as it was written.
 */
export function bareAddressOf(forwarded: string): string {
  const written = forwarded.trim()
  const bare = (BRACKETED.exec(written)?.[1] ?? WITH_PORT.exec(written)?.[1] ?? written).replace(/%.*$/, '')
  return isIPv4(bare) || isIPv6(bare) ? bare : written
}

/**
 * The one spelling of an address: an IPv4 address in its four parts, also when it is written as IPv6 (`::ffff:192.0.2.1`,
 * `64:ff9b::192.0.2.1`), any other IPv6 address in eight groups of lower-case hex. What is no address is left as it is.
 */
export function plainAddressOf(address: string): string {
  return isIPv4(address) ? address : (groupsOf(address)?.join(':') ?? address)
}

/**
 * Who an address stands for when something is counted by address: an IPv4 address is itself, however it is written
 * (`plainAddressOf`); any other IPv6 address is its /64 network (`2001:db8:1:2::/64`). What is no address is left as it is.
 */
export function networkOf(address: string): string {
  if (isIPv4(address)) return address
  const groups = groupsOf(address)
  if (!groups) return address
  return groups.length === 1 ? groups[0]! : `${groups.slice(0, SUBSCRIBER_GROUPS).join(':')}::/64`
}

/** The eight groups of an IPv6 address in lower-case hex without leading zeros, or the one IPv4 address that it carries. */
function groupsOf(address: string): readonly string[] | undefined {
  const bare = address.replace(/%.*$/, '')
  if (!isIPv6(bare)) return undefined
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const groups = tail
    ? [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
    : [...head]
  const prefix = groups.slice(0, 6).join(':')
  if (prefix === '0:0:0:0:0:ffff' || prefix === '64:ff9b:0:0:0:0') return [dotted(groups[6]!, groups[7]!)]
  return groups
}

const dotted = (high: string, low: string): string =>
  [high, low]
    .map((group) => Number.parseInt(group, 16))
    .flatMap((value) => [value >> 8, value & 255])
    .join('.')

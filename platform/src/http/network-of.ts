import { isIPv4, isIPv6 } from 'node:net'

/** One subscriber is given a whole /64, and may take any address in it at any time. */
const SUBSCRIBER_GROUPS = 4

/**
 * Who an address stands for when something is counted by address: an IPv4 address is itself, also when it is written as IPv6
 * (`::ffff:192.0.2.1`, `64:ff9b::192.0.2.1`); any other IPv6 address is its /64 network (`2001:db8:1:2::/64`), however it is written.
 * What is no address is left as it is.
 */
export function networkOf(address: string): string {
  if (isIPv4(address)) return address
  const groups = groupsOf(address)
  if (!groups) return address
  const carried = groups.slice(0, 6).join(':')
  if (carried === '0:0:0:0:0:ffff' || carried === '64:ff9b:0:0:0:0') return dotted(groups[6]!, groups[7]!)
  return `${groups.slice(0, SUBSCRIBER_GROUPS).join(':')}::/64`
}

/** The eight groups of an IPv6 address in lower-case hex without leading zeros; a zone (`%eth0`) is no part of it. */
function groupsOf(address: string): readonly string[] | undefined {
  const bare = address.replace(/%.*$/, '')
  if (!isIPv6(bare)) return undefined
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::').map((part) => (part === '' ? [] : part.split(':')))
  if (tail === undefined) return [...head]
  return [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail]
}

const dotted = (high: string, low: string): string =>
  [high, low]
    .map((group) => Number.parseInt(group, 16))
    .flatMap((value) => [value >> 8, value & 255])
    .join('.')

// Which addresses are the open internet, which are somebody's own network, and which are nobody's business.
import ipaddr from 'ipaddr.js';

/**
 * `public`: the open internet. `private`: this machine or a network of the operator's. `forbidden`: link-local, the
 * metadata services of clouds, multicast, and what is no destination at all; never reached, not even by opt-in.
 */
export type AddressKind = 'public' | 'private' | 'forbidden';

/** Metadata services at addresses that would pass for others: Alibaba, Azure, Oracle, AWS, Google. */
const METADATA = ['100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32', 'fd00:ec2::/32', 'fd20:ce::/32'].map(
  (range) => ipaddr.parseCIDR(range),
);

const OWN_NETWORKS: readonly string[] = ['loopback', 'private', 'uniqueLocal', 'carrierGradeNat', 'benchmarking'];

export function kindOf(text: string): AddressKind {
  if (!ipaddr.isValid(text) || text.includes('%')) return 'forbidden'; // with a zone: link-local
  const address = ipaddr.process(text); // an IPv4 address written as ::ffff:… is that IPv4 address
  const isMetadata = METADATA.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits));
  if (isMetadata) return 'forbidden';
  const range = address.range();
  if (range === 'unicast') return address.kind() === 'ipv6' && !isGlobal(text) ? 'forbidden' : 'public';
  // NAT64, 6to4, Teredo and their like hold an IPv4 address that nobody has looked at.
  return OWN_NETWORKS.includes(range) ? 'private' : 'forbidden';
}

/** All that is handed out of IPv6 for the internet. */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3');
const isGlobal = (text: string): boolean => ipaddr.IPv6.parse(text).match(GLOBAL[0], GLOBAL[1]);

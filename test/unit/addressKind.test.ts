// Which addresses http_request may reach.
import { type AddressKind, kindOf } from '../../sandbox/addressKind.js';

const KINDS: Record<AddressKind, string[]> = {
  public: ['1.1.1.1', '93.184.216.34', '172.15.0.1', '172.32.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8'],
  private: [
    '127.0.0.1',
    '127.255.255.254',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '::1',
    'fd12:3456::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:10.0.0.1',
    '::127.0.0.1', // the old way to write an IPv4 address
  ],
  forbidden: [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd20:ce::254',
    '0.0.0.0',
    '::',
    '255.255.255.255',
    '224.0.0.1',
    '240.0.0.1',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '64:ff9b::7f00:1', // NAT64 of 127.0.0.1
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::', // 6to4 of 127.0.0.1
    '2001:0:7f00:1::', // Teredo
    '2001:db8::1',
    '100::1',
    '4000::1',
    'not an address',
    '',
  ],
};

test.each(Object.entries(KINDS).flatMap(([kind, addresses]) => addresses.map((address) => [address, kind])))(
  '%s is %s',
  (address, kind) => {
    expect(kindOf(address)).toBe(kind);
  },
);

// How numbers, times, calls and tables look.
import { callText, length, usd } from '../../cli/render/format.js';
import { fit, styleOf, widthOf } from '../../cli/render/style.js';
import { table } from '../../cli/render/table.js';

test.each([
  [0, '0.0 s'],
  [300, '0.3 s'],
  [9_940, '9.9 s'],
  [9_960, '10 s'],
  [59_600, '1 min'],
  [200_000, '3 min 20 s'],
  [3_600_000, '1 h'],
  [7_500_000, '2 h 5 min'],
  [273_600_000, '3 d 4 h'],
])('%p ms is %s', (ms, text) => expect(length(ms)).toBe(text));

test.each([
  ['0', '$0.00'],
  ['5.00', '$5.00'],
  ['0.5', '$0.50'],
  ['0.0261632', '$0.0262'],
  ['0.00000001', '<$0.0001'],
  ['12.3456', '$12.35'],
])('%s US dollars are shown as %s', (decimal, text) => expect(usd(decimal)).toBe(text));

test.each([
  [{}, 'f()'],
  [{ id: 'RD-1', n: 18.5, ok: true }, 'f(id="RD-1", n=18.5, ok=true)'],
  [{ text: 'a'.repeat(50) }, `f(text="${'a'.repeat(38)}…")`],
  [{ text: 'two\nlines' }, 'f(text="two\\nlines")'],
  [undefined, 'f(…)'],
])('a call with %j is shown as %s', (args, text) => expect(callText('f', args)).toBe(text));

const style = styleOf(false);
const columns = [
  { title: 'NAME', value: (r: { name: string; n: string }) => r.name, flexible: true },
  { title: 'N', value: (r: { name: string; n: string }) => r.n, align: 'right' as const },
];

test('columns are aligned, numbers to the right', () => {
  const rows = [
    { name: 'one', n: '1' },
    { name: 'three hundred', n: '300' },
  ];
  expect(table(rows, columns, { width: 80, style })).toBe(
    'NAME             N\none              1\nthree hundred  300\n',
  );
});

test('a line that is too long is cut in its flexible column', () => {
  const rows = [{ name: 'x'.repeat(100), n: '7' }];
  const [, line] = table(rows, columns, { width: 30, style }).split('\n');
  expect(line).toBe(`${'x'.repeat(26)}…  7`);
});

test('wide characters take two columns, joined ones no more than they show', () => {
  expect(widthOf('日本')).toBe(4);
  expect(widthOf('é')).toBe(1);
  expect(widthOf('\u001b[31mred\u001b[39m')).toBe(3);
  expect(fit('日本語', 5)).toBe('日本…');
});

test('a cell with line breaks and control characters stays one harmless line', () => {
  const text = table([{ name: 'a\nb\u001b[2J', n: '1' }], columns, { width: 80, style });
  expect(text.split('\n')).toHaveLength(3);
  expect(text).not.toContain('\u001b');
});

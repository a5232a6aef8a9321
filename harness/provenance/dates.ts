// Days and times of day in a text, however people write them, so that 2025-01-11 is found in "January 11th 2025".

const MONTHS = 'january february march april may june july august september october november december'.split(' ');
const NAME = `(${MONTHS.map((m) => `${m}|${m.slice(0, 3)}`).join('|')})\\.?`;
const ISO = /\b(\d{4})-(\d{2})-(\d{2})\b/g;
const DAY_FIRST = new RegExp(`\\b(\\d{1,2})(?:st|nd|rd|th)?(?: of)? ${NAME}\\b(?:,? (\\d{4}))?`, 'gi');
const MONTH_FIRST = new RegExp(`\\b${NAME} (\\d{1,2})(?:st|nd|rd|th)?\\b(?:,? (\\d{4}))?`, 'gi');
const CLOCK = /\b(\d{1,2})(?::(\d{2}))? ?([ap])\.?m\b|\b(\d{1,2}):(\d{2})\b/gi;

/** As `2025-01-11`, or `01-11` where no year is given, and `10:30`. */
export function momentsIn(text: string): string[] {
  const days = [...text.matchAll(ISO)].map(([day]) => day);
  const named = [
    ...[...text.matchAll(DAY_FIRST)].map(([, day, month, year]) => dayOf(year, month, day)),
    ...[...text.matchAll(MONTH_FIRST)].map(([, month, day, year]) => dayOf(year, month, day)),
  ];
  return [...new Set([...days, ...named, ...[...text.matchAll(CLOCK)].map(timeOf)])];
}

/** The day and the time of a value that is a moment and nothing else, each in the ways in which a text may say it. */
export function partsOfMoment(value: string): string[][] {
  const match = /^(?:(\d{4})-(\d{2}-\d{2}))?(?:^|[T ]|$)(?:(\d{2}:\d{2})(?::00)?)?$/.exec(value.trim());
  if (!match) return [];
  const [, year, day, time] = match;
  return [year && day ? [`${year}-${day}`, day] : [], time ? [time] : []].filter((part) => part.length > 0);
}

function dayOf(year: string | undefined, month = '', day = ''): string {
  const number = MONTHS.findIndex((name) => name.startsWith(month.toLowerCase().slice(0, 3))) + 1;
  const inYear = `${two(number)}-${two(Number(day))}`;
  return year === undefined ? inYear : `${year}-${inYear}`;
}

function timeOf([, hour, minute = '00', half, hour24, minute24]: RegExpMatchArray): string {
  if (hour24 !== undefined) return `${two(Number(hour24))}:${minute24}`;
  const afternoon = half?.toLowerCase() === 'p' ? 12 : 0;
  return `${two((Number(hour) % 12) + afternoon)}:${minute}`;
}

const two = (n: number): string => String(n).padStart(2, '0');

import { fnv1a, withoutIgnored } from '@endcap/contracts'

const ASCII = /^[\x20-\x7e]*$/
/**
 * Marks that words are written with or without: those that no script has for its own (accents of Latin, Greek and Cyrillic) and the
 * vowel points of Arabic and Hebrew. Kana voicing marks, hamza and madda, Indic vowels and Thai tones change the word.
 */
const ACCENTS =
  /(?![\u3099\u309a\u0653-\u0655])(?=\p{Mn})[\p{Script=Inherited}\p{Script=Arabic}\p{Script=Hebrew}]/gu
/** Latin letters that Unicode does not take apart (strokes, ligatures, the dotless i), and what they are typed as on a keyboard without them. */
const PLAIN_LETTERS: Readonly<Record<string, string>> = {
  ł: 'l',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ŧ: 't',
  þ: 'th',
  æ: 'ae',
  œ: 'oe',
  ı: 'i',
}
const STROKED = new RegExp(`[${Object.keys(PLAIN_LETTERS).join('')}]`, 'g')
/**
 * Malayalam's consonants without a vowel, which were written with a joiner before Unicode 5.1 and have letters of their own since.
 * Nowhere else does a joiner alone make another word.
 */
const CHILLUS: Readonly<Record<string, string>> = { ണ: 'ൺ', ന: 'ൻ', ര: 'ർ', ല: 'ൽ', ള: 'ൾ', ക: 'ൿ' }
const JOINED_CHILLU = new RegExp(`([${Object.keys(CHILLUS).join('')}])\u0d4d\u200d`, 'g')
const BLANKS = /[\s\p{Cc}]+/gu

/**
 * The one spelling under which texts are compared and reports group queries: NFKC (full-width and ligatures become plain),
 * case folded (ß = ss, Σ = σ = ς), accents, vowel points and strokes stripped (ł = l, æ = ae), what cannot be seen removed, whitespace collapsed and trimmed.
 * Punctuation stays. Applying it twice changes nothing.
 */
export function normaliseText(text: string): string {
  if (ASCII.test(text)) return collapse(text.toLowerCase())
  // Stripping marks can uncover characters that compose or fold further, so fold until nothing moves (two rounds at most in practice).
  let folded = foldOnce(text)
  for (let next = foldOnce(folded); next !== folded; next = foldOnce(folded)) folded = next
  return folded
}

function foldOnce(text: string): string {
  const folded = withoutIgnored(text.replace(JOINED_CHILLU, (_, letter: string) => CHILLUS[letter]!))
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .normalize('NFKD')
    .replace(ACCENTS, '')
    .replace(STROKED, (letter) => PLAIN_LETTERS[letter]!)
    .normalize('NFKC')
  return collapse(folded)
}

const collapse = (text: string): string => text.replace(BLANKS, ' ').trim()

const POSSESSIVE = /(\p{L})['’]s(?!\p{L})/gu
// A mark belongs to what it stands on: on a symbol it makes no word.
const WORDS = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu
/** Scripts without spaces between words, and Hangul, where compounds and particles are written onto the word. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー々]+|\p{Script=Hangul}+/gu
const HANGUL = /^\p{Script=Hangul}/u
const ENGLISH_WORD = /^[a-z]{4,}$/

/** Splits a run of a script without spaces into words. */
export type Segment = (run: string) => readonly string[]

/** Overlapping pairs of characters; a single character is its own term. The usual stand-in where no dictionary is at hand. */
export const segmentIntoBigrams: Segment = (run) => {
  const characters = [...run]
  if (characters.length < 2) return characters
  return characters.slice(1).map((character, index) => characters[index]! + character)
}

/**
 * Words by the dictionary of ICU, or bigrams where Node was built without one. ICU has no dictionary of Korean, so Hangul always
 * becomes bigrams: 남성운동화 and 운동화를 hold those of 운동화.
 */
const defaultSegment: Segment = createSegment()

function createSegment(): Segment {
  if (typeof Intl.Segmenter !== 'function') return segmentIntoBigrams
  const segmenter = new Intl.Segmenter('ja', { granularity: 'word' })
  return (run) =>
    HANGUL.test(run) ? segmentIntoBigrams(run) : Array.from(segmenter.segment(run), (part) => part.segment)
}

/**
 * Stands among terms where one word's pairs would else run on into the next one's: between 운동 and 동화, which are not 운동화.
 * No word, so neither broad keywords nor ranking ask for it.
 */
export const WORD_BORDER = ' '

/**
 * The terms of a text in order, repeats kept: normalised words without punctuation, English plurals reduced (`stem`), scripts
 * written without spaces cut by dictionary, Hangul in overlapping pairs of syllables with a WORD_BORDER where they would run on.
 * Queries, keywords and titles must all come through here to match.
 */
export function termsOf(text: string, segment: Segment = defaultSegment): string[] {
  const terms: string[] = []
  for (const [word] of normaliseText(text).replace(POSSESSIVE, '$1').matchAll(WORDS)) {
    let end = 0
    for (const run of word.matchAll(UNSPACED)) {
      if (run.index > end) terms.push(stem(word.slice(end, run.index)))
      const parts = segment(run[0])
      if (runsOn(terms.at(-1), parts[0]!, segment)) terms.push(WORD_BORDER)
      terms.push(...parts)
      end = run.index + run[0].length
    }
    if (end < word.length) terms.push(stem(word.slice(end)))
  }
  return terms
}

/** Whether the last term of one word and the first of the next are what one word would be cut into. */
function runsOn(last: string | undefined, first: string, segment: Segment): boolean {
  const [shared] = first
  if (last === undefined || !last.endsWith(shared!)) return false
  const parts = segment(last + first.slice(shared!.length))
  return parts.length === 2 && parts[0] === last && parts[1] === first
}

/**
 * 32 bits of a term. Ranking compares terms by it: numbers take a fraction of the memory of texts, and two
 * different terms of one query and one title have the same number about once in four thousand million pairs.
 */
export const termHash = (term: string): number => fnv1a(term)

/** Hashes of the text's terms without repeats and borders, in order of first appearance. */
export function termHashesOf(text: string): number[] {
  const terms = new Set(termsOf(text))
  terms.delete(WORD_BORDER)
  return Array.from(terms, termHash)
}

/** Words that only look like plurals, or that -ie does not make another spelling of. */
const WHOLE_WORDS: ReadonlySet<string> = new Set([
  'series',
  'species',
  'news',
  'always',
  'christmas',
  'lens',
  'gas',
  'canvas',
  'atlas',
  'madras',
  'bias',
  'alias',
  'iris',
  'trellis',
  'tennis',
  'axis',
  'mantis',
  'clematis',
  'cannabis',
  'pelvis',
  'penis',
  'thermos',
  'rhinoceros',
  'pilates',
  'diabetes',
  'mars',
  'paris',
  'texas',
  'adidas',
  'asics',
  'hermes',
  'mercedes',
  'julie',
  'marie',
])

/** Plurals by a mere -s where the rules would take more, or nothing. */
const PLAIN_PLURALS: ReadonlySet<string> = new Set([
  'menus',
  'gurus',
  'tutus',
  'emus',
  'tofus',
  'haikus',
  'sudokus',
  'cpus',
  'gpus',
  'axes',
  'pickaxes',
  'niches',
  'quiches',
  'brioches',
  'cloches',
  'creches',
  'avalanches',
  'mousses',
  'fuses',
  'muses',
  'canoes',
  'tiptoes',
  'mistletoes',
])

/** Plurals that no rule makes, of what shops sell and whom they sell it to. */
const IRREGULAR_PLURALS: ReadonlyMap<string, string> = new Map([
  ['men', 'man'],
  ['gentlemen', 'gentleman'],
  ['snowmen', 'snowman'],
  ['women', 'woman'],
  ['children', 'child'],
  ['grandchildren', 'grandchild'],
  ['feet', 'foot'],
  ['teeth', 'tooth'],
  ['mice', 'mouse'],
  ['geese', 'goose'],
  ['cacti', 'cactus'],
  ['knives', 'knife'],
  ['wives', 'wife'],
  ['halves', 'half'],
  ['calves', 'calf'],
  ['wolves', 'wolf'],
  ['elves', 'elf'],
  ['leaves', 'leaf'],
  ['loaves', 'loaf'],
  ['shelves', 'shelf'],
  ['bookshelves', 'bookshelf'],
  ['scarves', 'scarf'],
  ['headscarves', 'headscarf'],
  ['hooves', 'hoof'],
  ['quizzes', 'quiz'],
  ['tvs', 'tv'],
  ['cds', 'cd'],
  ['pcs', 'pc'],
])

/**
 * Light English stemming, of plurals only [Harman 1991, the S-stemmer], in words of four letters and more; other words pass unchanged.
 * After the three lists: -ies becomes -y; -es is dropped after a hiss (dresses, boxes, waltzes), from -uses (cactuses) and -oes
 * (heroes); any other -s is dropped, unless after s, u or si (glass, bus, oasis). -ie becomes -y too, so that hoodie and hoodies meet.
 */
export function stem(word: string): string {
  const irregular = IRREGULAR_PLURALS.get(word)
  if (irregular !== undefined) return irregular
  if (!ENGLISH_WORD.test(word) || WHOLE_WORDS.has(word)) return word
  const singular = withoutPlural(word)
  // mens, womens: how shoppers write the possessive.
  return IRREGULAR_PLURALS.get(singular) ?? singular
}

/** Words whose -es is an -e and an -s though it looks like one ending: headaches and caches, but not beaches; horseshoes. */
const MUTE_E = /(?:(?:^|[^eo])ach|sho)es$/
const ENDING_ES = /(?:ss|sh|ch|x|[tz]z|[^aeo]us|...o)es$/
/** Bureaus and plateaus are plurals; glass, bus and oasis are not. */
const NO_PLURAL = /(?:s|si|(?<!ea)u)s$/

function withoutPlural(word: string): string {
  if (PLAIN_PLURALS.has(word)) return word.slice(0, -1)
  if (word.endsWith('es') && WHOLE_WORDS.has(word.slice(0, -2))) return word.slice(0, -2)
  if (/..ies$/.test(word)) return `${word.slice(0, -3)}y`
  if (/..ie$/.test(word)) return `${word.slice(0, -2)}y`
  if (ENDING_ES.test(word) && !MUTE_E.test(word)) return word.slice(0, -2)
  return word.endsWith('s') && !NO_PLURAL.test(word) ? word.slice(0, -1) : word
}

import { wording } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  normaliseText,
  segmentIntoBigrams,
  stem,
  termHash,
  termHashesOf,
  termsOf,
  WORD_BORDER,
} from './text.js'

describe('normaliseText', () => {
  it.each([
    ['  Red   SHOES\t', 'red shoes'],
    ['Ａｄｉｄａｓ　１２', 'adidas 12'],
    ['Café Crème', 'cafe creme'],
    ['Größe STRASSE straße', 'grosse strasse strasse'],
    ['ΟΔΟΣ οδος', 'οδοσ οδοσ'],
    ['İstanbul ISTANBUL', 'istanbul istanbul'],
    ['ﬁne', 'fine'],
    ['Łódź Øre Đà Ðe ŦħÞór Æsir œuvre ı', 'lodz ore da de ththor aesir oeuvre i'],
    ['re\u00adfri\u200bgerator', 'refrigerator'],
    [
      'sh\uFE0Foes \u{1F45F}\uFE0F\u200D\u{E0041} sho\u3164\uFFA0\u034F\u2060\u{E0100}es',
      'shoes \u{1F45F} shoes',
    ],
    ['iphone 1\uFE0F\u20E35\uFE0F\u20E3 \u0430\u0488', 'iphone 15 \u0430'],
    ['کتاب\u200cها', 'کتابها'],
    ['क्\u200dष क्\u200cष ශ්\u200dරී', 'क्ष क्ष ශ්රී'],
    ['അവന്\u200d അവന്\u200c', 'അവൻ അവന്'],
    ['a\u0000b\nc', 'a b c'],
    ['がぎ か', 'がぎ か'],
    ['हिन्दी', 'हिन्दी'],
    ['حِذَاءٌ حذاء هٰذا كـــتاب \uFE77', 'حذاء حذاء هذا كتاب'],
    ['أإآؤئ', 'أإآؤئ'],
    ['נַעֲלַיִם נעלים \uFB2Aל', 'נעלים נעלים של'],
    ['x\u1DC4\u20D2y', 'xy'],
    ['हिन्दी বই รองเท้าวิ่ง གོས ເກີບ ދިވެހި ばぱあ゙', 'हिन्दी বই รองเท้าวิ่ง གོས ເກີບ ދިވެހި ばぱあ゙'],
    ['한국', '한국'],
    ['', ''],
    ['\ud800x', 'x'],
  ])('spells %j as %j', (text, expected) => expect(normaliseText(text)).toBe(expected))

  it('changes nothing when applied again, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        const once = normaliseText(text)
        expect(normaliseText(once)).toBe(once)
      }),
      { numRuns: 3000 },
    )
  })

  it('does not depend on case or on composed accents', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aàéñßöçÅŁøÆþ x'), maxLength: 12 }), (text) => {
        expect(normaliseText(text.toUpperCase())).toBe(normaliseText(text))
        expect(normaliseText(text.normalize('NFD'))).toBe(normaliseText(text))
      }),
    )
  })
})

describe('termsOf', () => {
  it.each([
    ["Women's running shoes", ['woman', 'running', 'shoe']],
    ["Levi's levis LEVI’S", ['levi', 'levi', 'levi']],
    ['T-shirt, size XL/XXL', ['t', 'shirt', 'size', 'xl', 'xxl']],
    ['跑步鞋', ['跑步', '鞋']],
    ['ランニングシューズ 靴', ['ランニング', 'シューズ', '靴']],
    ['Nike跑步鞋2024', ['nike', '跑步', '鞋', '2024']],
    ['남성운동화', ['남성', '성운', '운동', '동화']],
    ['나이키운동화를 2켤레', ['나이', '이키', '키운', '운동', '동화', '화를', '2', '켤레']],
    ['운동화 운동 동화', ['운동', '동화', '운동', WORD_BORDER, '동화']],
    ['운동 동 동화 화', ['운동', '동', '동화', '화']],
    ['운동 red 동화', ['운동', 'red', '동화']],
    ['跑步 步行', ['跑步', '步行']],
    ['รองเท้าวิ่ง', ['รองเท้า', 'วิ่ง']],
    ['!!! ---', []],
    ['☀️shoes ❤️ 1️⃣5️⃣ \uFE0F \u3164', ['shoe', '15']],
    ['\u25CC\u093F \u2764\u20D2shoes \u0301', ['shoe']],
  ])('cuts %j into %j', (text, terms) => expect(termsOf(text)).toEqual(terms))

  it('finds the same terms in a text and in its normalised spelling', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        expect(termsOf(normaliseText(text))).toEqual(termsOf(text))
      }),
    )
  })

  // A shop's keyword, and what shoppers write around it without a space.
  it.each([
    ['运动鞋', '男士运动鞋'],
    ['蓝牙耳机', '无线蓝牙耳机推荐'],
    ['連衣裙', '紅色連衣裙'],
    ['ランニングシューズ', 'メンズランニングシューズ'],
    ['自転車', '子供用自転車'],
    ['운동화', '남성운동화추천'],
    ['운동화', '운동화를'],
    ['รองเท้าวิ่ง', 'รองเท้าวิ่งผู้ชาย'],
  ])('finds the terms of %j in a row in %j', (keyword, query) => {
    for (const segment of [undefined, segmentIntoBigrams]) {
      expect(` ${termsOf(query, segment).join(' ')} `).toContain(` ${termsOf(keyword, segment).join(' ')} `)
    }
  })

  it('finds the same terms in half and full width, with and without voicing marks of their own', () => {
    expect(termsOf('ﾗﾝﾆﾝｸﾞｼｭｰｽﾞ')).toEqual(termsOf('ランニングシューズ'))
    expect(termsOf('ＮＩＫＥ　Ａｉｒ')).toEqual(['nike', 'air'])
    expect(termsOf('운동화'.normalize('NFD'))).toEqual(termsOf('운동화'))
  })

  it('finds terms in every text that may be a keyword, and in no other', () => {
    const text = fc.string({
      unit: fc.constantFrom(
        ...'aé1①½-✓靴क 한',
        ...'ح\u0640\u064E\uFE77ש\u05B7',
        ...'\u3164\uFE0F\u200D\u20E3\u093F\u20D2\u034F\uFFA0',
        '👟',
        '\u{E0041}',
      ),
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(text, (keyword) => {
        fc.pre(keyword.trim() !== '')
        expect(wording(200).safeParse(keyword).success, JSON.stringify(keyword)).toBe(
          termsOf(keyword).length > 0,
        )
      }),
      { numRuns: 2000 },
    )
  })

  it('falls back to pairs of characters where no dictionary is at hand', () => {
    expect(termsOf('red 跑步鞋 鞋', segmentIntoBigrams)).toEqual(['red', '跑步', '步鞋', '鞋'])
  })

  it('finds the same terms in the same Korean words only', () => {
    const texts = fc
      .array(fc.string({ unit: fc.constantFrom('가', '나'), minLength: 1, maxLength: 4 }), { maxLength: 4 })
      .map((words) => words.join(' '))
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        expect(termsOf(one).join('|') === termsOf(other).join('|')).toBe(one === other)
      }),
      { numRuns: 3000 },
    )
    expect(termsOf('跑步 步鞋', segmentIntoBigrams)).not.toEqual(termsOf('跑步鞋', segmentIntoBigrams))
    expect(termHashesOf('운동 동화')).toEqual(termHashesOf('운동화'))
  })

  it('keeps the order of terms, and one of each when asked for distinct ones', () => {
    expect(termsOf('shoe red shoes')).toEqual(['shoe', 'red', 'shoe'])
    expect(termHashesOf('shoe red shoes')).toEqual([termHash('shoe'), termHash('red')])
    // Reference values of FNV-1a.
    expect(termHash('') >>> 0).toBe(0x811c9dc5)
    expect(termHash('a') >>> 0).toBe(0xe40c292c)
    expect(termHash('foobar') >>> 0).toBe(0xbf9cf968)
  })
})

describe('stem', () => {
  /** A line for each thing: the forms that shoppers and merchants write of it. */
  const GOODS = `
    shoe shoes; horseshoe horseshoes; sock socks; dress dresses; watch watches; box boxes; glass glasses; bus buses; toy toys
    bikini bikinis; ski skis; taxi taxis; kiwi kiwis; sari saris; safari safaris; menu menus; guru gurus; cpu cpus; tv tvs; dvd dvds
    canvas canvases; cactus cactuses cacti; lens lenses; gas gases; iris irises; trellis trellises; thermos thermoses; virus viruses
    house houses; blouse blouses; mouse mice mouses; vase vases; rose roses; case cases; purse purses; horse horses; fuse fuses; hose hoses
    mousse mousses; mattress mattresses; quiz quizzes; size sizes; prize prizes; topaz; waltz waltzes; buzz buzzes; fox foxes; axe axes
    mustache mustaches; cache caches; headache headaches; quiche quiches; niche niches; beach beaches; peach peaches; coach coaches; couch couches
    brush brushes; inch inches; sandwich sandwiches; torch torches; patch patches; ash ashes; cloche cloches; clutch clutches
    potato potatoes; tomato tomatoes; domino dominos dominoes; mango mangos mangoes; hero heroes; video videos; piano pianos; canoe canoes; toe toes
    hoe hoes; aloe aloes; tiptoe tiptoes; tattoo tattoos; shampoo shampoos
    battery batteries; hoodie hoodies hoody; cookie cookies; beanie beanies; pie pies; tie ties; necktie neckties; sky skies; fly flies; berry berries
    jersey jerseys; key keys; turkey turkeys; tray trays; baby babies
    knife knives; scarf scarves scarfs; shelf shelves; bookshelf bookshelves; wolf wolves; leaf leaves; loaf loaves; elf elves; wife wives
    glove gloves; sleeve sleeves; olive olives; valve valves; stove stoves; curve curves; dove doves; chive chives; wave waves
    man men mens; woman women womens; child children; foot feet; tooth teeth; goose geese; snowman snowmen
    cape capes; cap caps; pin pins; pine pines; plan plans; plane planes; tub tubs; tube tubes; robe robes; bra bras; brass; bass basses; base bases
    cloth cloths; clothes; prince princes; princess princesses; bar bars; barre barres; car cars; care; mat mats; mate mates; grape grapes; grap
    pizza pizzas; banana bananas; pajama pajamas; camera cameras; sofa sofas; plateau plateaus; bureau bureaus
    news; new; christmas; adidas; paris; tennis; chess; always; mars; series; species; asics; pilates; her; here; oasis; basis; chassis; cannabis
    rug rugs; rugged; bear bears; bearing bearings; stock stocks; stocking stockings; train trains; training; trainer trainers; wick wicks; wicked
    herring herrings; ring rings; earring earrings; wed; wedding weddings; bed beds; bedding; cloud clouds; clothing; paint paints; painted; painting paintings
    run runs; running; runner runners; hike hikes; hiking; seed seeds; string strings; king kings; build; building buildings; legging leggings; leg legs
    july; julie; mary; marie; lux; luxe; pos; pose poses; dos; dose doses; nos; nose noses; rind; cuff cuffs; roof roofs; chef chefs; belief
  `
    .split(/[;\n]/)
    .map((forms) => forms.trim().split(' '))
    .filter(([first]) => first !== '')

  it.each(GOODS.filter((forms) => forms.length > 1))('brings %j and its other forms together', (...forms) => {
    expect(new Set(forms.map(stem)).size, forms.map(stem).join()).toBe(1)
  })

  it('takes no two different goods for one', () => {
    const goods = new Map<string, string>()
    for (const [first] of GOODS) {
      const term = stem(first!)
      expect(goods.get(term) ?? first, term).toBe(first)
      goods.set(term, first!)
    }
  })

  it('leaves every word alone that does not end like a plural, but for one spelling of -y', () => {
    for (const [first] of GOODS) if (!/(?:clothes|..ie)$/.test(first!)) expect(stem(first!)).toBe(first)
  })

  it.each(['größe', '2024s', 'ps', 'running', 'walked', 'hired', 'cycling', 'herring', 'texas', 'hermes'])(
    'leaves %j alone',
    (word) => expect(stem(word)).toBe(word),
  )
})

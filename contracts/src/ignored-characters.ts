/**
 * What a text says the same without: characters that are not drawn (Unicode's Default_Ignorable_Code_Point, such as variation
 * selectors, joiners, soft hyphens and the Hangul fillers, and other format characters), frames drawn around a character (the keycap
 * of 1️⃣), the stroke that stretches Arabic words (tatweel), and halves of surrogate pairs.
 */
const IGNORED = /[\u0640\p{Default_Ignorable_Code_Point}\p{Cf}\p{Me}\p{Cs}]/gu

export const withoutIgnored = (text: string): string => text.replace(IGNORED, '')

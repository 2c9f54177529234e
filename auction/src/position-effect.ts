/**
 * How much of its clicks at the reference position a listing gets at a 1-based position of the page: 1 ÷ position.
 *
 * The examination probability of position-biased click models, (1 ÷ rank)^η with η = 1, the severity taken by Joachims, Swaminathan &
 * Schnabel, "Unbiased Learning-to-Rank with Biased Feedback" (WSDM 2017). Prices do not depend on it: a separable effect cancels out
 * of the generalised second price. It weighs slots where clicks are compared across them: the VCG price beside it, and expected clicks.
 */
export const positionEffect = (position: number): number => 1 / position

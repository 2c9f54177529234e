import { createOrderBody, order } from '@endcap/contracts'

export const postOrdersSchema = {
  summary: 'Take an order',
  description:
    'An order is taken once by its id: the same order again gives the first answer with 200, another order under the same id is a conflict.',
  tags: ['orders'],
  body: createOrderBody,
  response: { 200: order, 201: order },
}

/*
 * subscription: what an object has asked the daemon to say for it whenever its upstream is made.
 *
 * Between the program, which subscribes, and the queue of the object's channel, where SUBSCRIBE and
 * UNSUBSCRIBE stand among its messages. Invariant: what is in the object's list is said once on each
 * connection that opens its channel, in the order in which it was first asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_SUBSCRIPTION_H
#define WSP_CLIENT_LIB_SUBSCRIPTION_H

struct wsplex_websocket;

/* Puts SUBSCRIBE for all that is in the list before what waits in the channel. 0, -ENOMEM. */
int wsp_subscriptions_send(struct wsplex_websocket *websocket);

/* Frees the list. */
void wsp_subscriptions_clear(struct wsplex_websocket *websocket);

#endif

/*
 * pull: the one convention by which every codec of proto is driven: bytes are fed, events are
 * pulled.
 *
 *   feed(codec, window)        lends bytes to the codec; nothing happens yet, nothing is copied
 *   next(codec, &event)        says what the bytes mean, one event for each call
 *
 * next() returns
 *   0            an event was stored; call again, there may be more in the same window
 *   WSP_MORE     the window is used up and the last event is not whole: feed the next bytes
 *   WSP_BROKEN   the peer broke the protocol; the codec says how (which code to close with, which
 *                text to log), answers WSP_BROKEN for ever after, and takes no more bytes
 *   negative     an errno of our own side (-ENOMEM); nothing that the peer did
 *
 * The fed window stays with its owner. The codec borrows it: it must stay where it is and unchanged
 * until next() returns anything but 0, and a view in an event is valid until the following call of
 * next() or feed(), whichever comes first. What a codec needs of an unfinished event it has copied
 * into itself when it answers WSP_MORE, so the caller may reuse its buffer at once. feed() is only
 * called when the codec is new or has just answered WSP_MORE.
 *
 * Nobody is called back, so nothing can be re-entered, and the events of a byte stream do not
 * depend on how it was cut into windows: the tests feed every codec at every split and byte by
 * byte.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_PULL_H
#define WSP_PROTO_PULL_H

enum {
    WSP_MORE = 1,
    WSP_BROKEN = 2,
};

#endif

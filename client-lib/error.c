/*
 * error: texts for the errors that the public functions return.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client-lib/client.h"
#include "client-lib/wsplex.h"

const char *wsplex_strerror(int error)
{
    switch (error < 0 ? error : -error) {
    case 0: return "no error";
    case WSPLEX_ERROR_SYNTAX:
        return "SyntaxError: a URL, subprotocol, reason or argument is not valid";
    case WSPLEX_ERROR_INVALID_ACCESS: return "InvalidAccessError: the close code is not allowed";
    case WSPLEX_ERROR_INVALID_STATE: return "InvalidStateError: not possible in this state";
    case WSPLEX_ERROR_NOT_UTF8: return "the text is not valid UTF-8";
    case WSPLEX_ERROR_AWAY: return "wsplexd is away, and as much waits for it as may";
    case WSPLEX_ERROR_TOO_LARGE: return "the message is larger than wsplexd allows";
    case WSPLEX_ERROR_FORKED: return "the client belongs to the process that forked this one";
    case WSPLEX_ERROR_NESTED: return "dispatching is not possible within a handler";
    case -ENOENT:
    case -ECONNREFUSED: return "no wsplexd listens on the socket";
    case -EACCES: return "this user may not connect to the socket of wsplexd";
    case -ENAMETOOLONG: return "the path of the socket is too long";
    case -ECONNRESET: return "wsplexd went away";
    case -EPROTO: return "wsplexd broke the local protocol";
    case -ETIMEDOUT: return "wsplexd does not answer";
    case -E2BIG: return "the request is too large";
    case -EMFILE:
    case -ENFILE: return "wsplexd, this process or this machine allows no more of them";
    case -ENOSYS: return "this kernel is too old";
    case -ENOMEM: return "there is no memory";
    default: return "an error that wsplex has no words for";
    }
}

const char *wsplex_error_text(const struct wsplex *client)
{
    return client->error_text;
}

int wsp_client_error(struct wsplex *client, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(client->error_text, sizeof(client->error_text), format, arguments);
    va_end(arguments);
    return error;
}

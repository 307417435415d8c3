/*
 * slow: many programs that keep up beside one that is stopped, on one upstream: what the others notice of it, and what
 * becomes of the messages.
 *
 *   slow SOCKET URL CONSUMERS SIZE RATE PHASE PHASES POLICY QUEUE
 *
 * CONSUMERS programs and one more join URL (.../paced), which is told to send PHASES times PHASE messages of SIZE bytes,
 * RATE in a second (0: as fast as it can). In every second phase, the first is not one of them, that one is stopped
 * (SIGSTOP); its slow-consumer is POLICY and its queue QUEUE. Prints one line of JSON: for each phase the median and the
 * 99th percentile of the time from the server to a consumer, and deliveries in a second; and what the stopped one got and
 * missed, or that it was cut off.
 *
 * Neighbours: line.c speaks the protocol; feed_server numbers its messages and says when it made them.
 * Invariant: a message that a consumer misses, and one that the stopped one neither gets nor finds in exactly one gap,
 * makes it fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/line.h"
#include "bench/remote.h"

enum { MAX_PHASES = 64, STEPS = 16, N_BUCKETS = 40 * STEPS };

/* Of one phase and one consumer. The first tenth of a phase does not count: it is the other's. */
struct phase {
    unsigned long n, n_in[N_BUCKETS]; /* by time on the way */
    double begin_us, end_us;
};

struct victim {
    unsigned long n_received, n_missed, n_gaps;
    int is_cut_off;
};

struct shared {
    struct victim victim;
    struct phase phases[]; /* consumer after consumer */
};

static struct {
    const char *socket, *url;
    unsigned long n_consumers, size, rate, phase_len, n_phases, count;
    struct shared *shared;
    pid_t victim;
} run;

/* Buckets are a sixteenth of a power of two wide. */
static unsigned bucket_of(double us)
{
    unsigned power = 0;
    double width = 1;
    if (us < 1)
        return 0;
    for (; us >= 2 * width && power < N_BUCKETS / STEPS - 1; power++)
        width *= 2;
    unsigned step = (unsigned)((us - width) / width * STEPS);
    return power * STEPS + (step < STEPS ? step : STEPS - 1);
}

static double bucket_us(unsigned bucket)
{
    double width = (double)(1ull << bucket / STEPS);
    return width + width * (bucket % STEPS + 0.5) / STEPS;
}

/* The number of a message, and when it was made. */
static unsigned long message_read(const struct wsp_wire_frame *frame, unsigned long long *ret_us)
{
    char text[64] = "";
    unsigned long n;
    memcpy(text, frame->payload.data,
           frame->payload.len < sizeof(text) ? frame->payload.len : sizeof(text) - 1);
    if (sscanf(text, "%lu %llu ", &n, ret_us) != 2)
        die("a message is not what the server says");
    return n;
}

/* -- who keeps up -- */

static void phase_count(struct phase *phase, unsigned long at, unsigned long long made_us)
{
    if (at < run.phase_len / 10)
        return;
    phase->end_us = now_us();
    if (phase->n++ == 0)
        phase->begin_us = phase->end_us;
    phase->n_in[bucket_of(phase->end_us - (double)made_us)]++;
}

/* Every message, in order. The first consumer conducts. */
static void receive_all(struct line *line, unsigned long consumer)
{
    struct phase *phases = run.shared->phases + consumer * run.n_phases;
    struct wsp_wire_frame frame;
    unsigned long long made_us;
    for (unsigned long n = 0; n < run.count;) {
        line_next(line, &frame);
        if (frame.type == WSP_LOCAL_SENT || frame.type == WSP_LOCAL_CREDIT)
            continue;
        if (frame.type != WSP_LOCAL_TEXT || message_read(&frame, &made_us) != n + 1)
            die("who keeps up has lost a message, or its channel");
        phase_count(&phases[n / run.phase_len], n % run.phase_len, made_us);
        n++;
        if (consumer == 0 && n % run.phase_len == 0)
            kill(run.victim, n / run.phase_len % 2 == 1 && n < run.count ? SIGSTOP : SIGCONT);
    }
}

/* -- who is stopped -- */

static struct wsp_view victim_options(char **argv)
{
    static struct wsp_buffer list;
    const char *const strings[] = {"slow-consumer", argv[0], "queue", argv[1]};
    wsp_buffer_init(&list, 1024);
    if (wsp_local_list_append_strings(&list, strings, 4) != 0)
        die("memory");
    return (struct wsp_view){wsp_buffer_peek(&list), wsp_buffer_len(&list)};
}

static void account(struct line *line)
{
    struct victim *victim = &run.shared->victim;
    struct wsp_wire_frame frame;
    struct wsp_message message;
    unsigned long long made_us;
    unsigned long next = 1;
    while (next <= run.count) {
        line_next(line, &frame);
        if (frame.type == WSP_LOCAL_TEXT) {
            if (message_read(&frame, &made_us) != next++)
                die("who was stopped has lost a message in silence");
            victim->n_received++;
        } else if (frame.type == WSP_LOCAL_GAP) {
            if (wsp_message_decode(&frame, WSP_SIDE_DAEMON, &message) != 0 ||
                !message.gap.is_counted)
                die("a gap does not count");
            next += message.gap.count;
            victim->n_missed += message.gap.count;
            victim->n_gaps++;
        } else if (frame.type == WSP_LOCAL_FAILED) {
            victim->is_cut_off = 1;
            return;
        } else if (frame.type != WSP_LOCAL_CREDIT) {
            die("who was stopped is told something else");
        }
    }
}

/* -- the run -- */

/* Each in a process of its own: opens, says so, does its work, and stays until all have done theirs. */
static pid_t start(unsigned long consumer, struct wsp_view options, int ready, const int go[2])
{
    struct line line;
    char byte = 1;
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child > 0)
        return child;
    close(go[1]);
    line_open(&line, run.socket, run.url, WSP_SHARING_SHARED, options);
    line_await(&line, WSP_LOCAL_OPENED, 1);
    if (write(ready, &byte, 1) != 1)
        die("pipe");
    if (consumer == run.n_consumers)
        account(&line);
    else
        receive_all(&line, consumer);
    while (read(go[0], &byte, 1) > 0)
        ;
    line_close(&line);
    _exit(0);
}

static double percentile(const struct phase *phase, double part)
{
    unsigned long n = 0, wanted = (unsigned long)((double)phase->n * part);
    unsigned bucket = 0;
    for (; bucket < N_BUCKETS - 1 && n + phase->n_in[bucket] <= wanted; bucket++)
        n += phase->n_in[bucket];
    return bucket_us(bucket);
}

static void print_phase(unsigned long i)
{
    static struct phase all;
    double seconds = 0;
    all = (struct phase){0};
    for (unsigned long consumer = 1; consumer <= run.n_consumers - 1; consumer++) {
        const struct phase *phase = &run.shared->phases[consumer * run.n_phases + i];
        all.n += phase->n;
        seconds += (phase->end_us - phase->begin_us) / 1e6;
        for (unsigned bucket = 0; bucket < N_BUCKETS; bucket++)
            all.n_in[bucket] += phase->n_in[bucket];
    }
    printf("%s{\"stopped\": %s, \"median_us\": %.1f, \"p99_us\": %.1f, \"per_second\": %.1f}",
           i ? ", " : "", i % 2 ? "true" : "false", percentile(&all, 0.5), percentile(&all, 0.99),
           (double)all.n / seconds);
}

static void print(void)
{
    const struct victim *victim = &run.shared->victim;
    printf("{\"phases\": [");
    for (unsigned long i = 0; i < run.n_phases; i++)
        print_phase(i);
    printf("], \"received\": %lu, \"missed\": %lu, \"gaps\": %lu, \"is_cut_off\": %s}\n",
           victim->n_received, victim->n_missed, victim->n_gaps,
           victim->is_cut_off ? "true" : "false");
}

static void order(struct line *line)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%lu %lu %lu", run.count, run.size, run.rate);
    line_send(line, (const uint8_t *)text, (size_t)len);
}

int main(int argc, char **argv)
{
    int ready[2], go[2], status, failed = 0;
    struct line line;
    char byte;
    if (argc != 10) {
        fputs("usage: slow SOCKET URL CONSUMERS SIZE RATE PHASE PHASES POLICY QUEUE\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    run.socket = argv[1];
    run.url = argv[2];
    run.n_consumers = number(argv[3]);
    run.size = number(argv[4]);
    run.rate = number(argv[5]);
    run.phase_len = number(argv[6]);
    run.n_phases = number(argv[7]);
    run.count = run.phase_len * run.n_phases;
    if (run.n_consumers < 2 || run.n_phases > MAX_PHASES || run.phase_len == 0)
        die("at least two consumers, and no more than 64 phases");
    size_t len = sizeof(struct shared) + run.n_consumers * run.n_phases * sizeof(struct phase);
    run.shared = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.shared == MAP_FAILED || pipe(ready) != 0 || pipe(go) != 0)
        die("memory or pipes");
    run.victim = start(run.n_consumers, victim_options(argv + 8), ready[1], go);
    for (unsigned long i = 1; i < run.n_consumers; i++)
        start(i, LINE_NO_OPTIONS, ready[1], go);
    close(ready[1]);
    for (unsigned long i = 0; i < run.n_consumers; i++)
        if (read(ready[0], &byte, 1) != 1)
            die("a consumer failed");
    close(go[0]);
    line_open(&line, run.socket, run.url, WSP_SHARING_SHARED, LINE_NO_OPTIONS);
    line_await(&line, WSP_LOCAL_OPENED, 1);
    order(&line);
    receive_all(&line, 0);
    kill(run.victim, SIGCONT);
    close(go[1]);
    while (wait(&status) > 0)
        failed += status != 0;
    line_close(&line);
    if (failed)
        die("a consumer failed");
    print();
    return 0;
}

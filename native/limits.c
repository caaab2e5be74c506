// The native limit of the benchmark: the fused loops of the optimizers as a C programmer writes them,
// for the compiler to vectorize, on one thread or on a small pool. Same mathematics as the rules in
// src/rules. Compiled and called by src/cli/bench/native.
//
// Loops run over one flat range. A job is cut into as many equal parts as there are threads; the caller
// takes the first. Helpers spin for a while after a job, because the next one mostly follows at once,
// and then sleep, so that they disturb nothing else that is measured.

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { SGD, MOMENTUM, RMSPROP, ADAM, SCALE };
enum { MAX_HELPERS = 255, LINE = 64, SPINS = 20000 };

typedef struct {
  int rule;
  float *p;
  const float *g;
  float *m;
  float *v;
  const float *c; // numbers of the step, see numbers.ts
  int64_t size;
} Job;

static void sgd(const Job *job, int64_t from, int64_t to) {
  float *restrict p = job->p;
  const float *restrict g = job->g;
  const float lr = job->c[0];
  for (int64_t i = from; i < to; i++) p[i] -= g[i] * lr;
}

static void momentum(const Job *job, int64_t from, int64_t to) {
  float *restrict p = job->p, *restrict m = job->m;
  const float *restrict g = job->g;
  const float lr = job->c[0], mu = job->c[1];
  for (int64_t i = from; i < to; i++) {
    const float b = m[i] * mu + g[i];
    m[i] = b;
    p[i] -= b * lr;
  }
}

static void rmsprop(const Job *job, int64_t from, int64_t to) {
  float *restrict p = job->p, *restrict v = job->m;
  const float *restrict g = job->g;
  const float lr = job->c[0], alpha = job->c[1], rest = job->c[2], eps = job->c[3];
  for (int64_t i = from; i < to; i++) {
    const float s = v[i] * alpha + g[i] * rest * g[i];
    v[i] = s;
    p[i] -= g[i] / (sqrtf(s) + eps) * lr;
  }
}

// Also AdamW: `keep` is 1 - lr * weight decay, or 1. `scale` and `root` free of bias: lr / (1 - b1^t)
// and 1 / sqrt(1 - b2^t).
static void adam(const Job *job, int64_t from, int64_t to) {
  float *restrict p = job->p, *restrict m = job->m, *restrict v = job->v;
  const float *restrict g = job->g;
  const float scale = job->c[0], rest1 = job->c[1], b2 = job->c[2], rest2 = job->c[3];
  const float root = job->c[4], eps = job->c[5], keep = job->c[6];
  for (int64_t i = from; i < to; i++) {
    const float mean = m[i] + (g[i] - m[i]) * rest1;
    const float square = v[i] * b2 + g[i] * rest2 * g[i];
    m[i] = mean;
    v[i] = square;
    p[i] = p[i] * keep - mean / (sqrtf(square) * root + eps) * scale;
  }
}

// Not an optimizer: reads and writes one array, to measure the memory's bandwidth.
static void scale(const Job *job, int64_t from, int64_t to) {
  float *restrict p = job->p;
  const float factor = job->c[0];
  for (int64_t i = from; i < to; i++) p[i] *= factor;
}

static void run(const Job *job, int64_t from, int64_t to) {
  static void (*const rules[])(const Job *, int64_t, int64_t) = {sgd, momentum, rmsprop, adam, scale};
  rules[job->rule](job, from, to);
}

static Job job;
static int helpers, users, closing;
static pthread_t threads[MAX_HELPERS];
static _Atomic unsigned turn; // counts jobs
static _Atomic int busy;      // helpers that have not finished the last one
static _Atomic int sleepers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void run_part(int index) {
  const int64_t lines = (job.size + LINE - 1) / LINE, parts = helpers + 1;
  const int64_t from = lines * index / parts * LINE, to = lines * (index + 1) / parts * LINE;
  run(&job, from, to < job.size ? to : job.size);
}

static void await_turn_after(unsigned seen) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load(&turn) != seen) return;
    pause_briefly();
  }
  pthread_mutex_lock(&lock);
  atomic_fetch_add(&sleepers, 1);
  while (atomic_load(&turn) == seen) pthread_cond_wait(&wake, &lock);
  atomic_fetch_sub(&sleepers, 1);
  pthread_mutex_unlock(&lock);
}

static void start_turn(void) {
  atomic_store(&busy, helpers);
  atomic_fetch_add(&turn, 1);
  if (atomic_load(&sleepers) == 0) return; // one that is about to sleep looks at the turn once more
  pthread_mutex_lock(&lock);
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&lock);
}

static void *help(void *argument) {
  const int index = (int)(intptr_t)argument;
  for (unsigned seen = 0;; seen++) {
    await_turn_after(seen);
    if (closing) return 0;
    run_part(index);
    atomic_fetch_sub(&busy, 1);
  }
}

// Starts helpers for jobs on so many threads, once for all its users. Returns how many there are then.
int open_pool(int count) {
  if (users++ > 0) return helpers + 1;
  atomic_store(&turn, 0);
  closing = 0;
  for (helpers = 0; helpers < count - 1 && helpers < MAX_HELPERS; helpers++) {
    void *index = (void *)(intptr_t)(helpers + 1);
    if (pthread_create(&threads[helpers], 0, help, index) != 0) break;
  }
  return helpers + 1;
}

void close_pool(void) {
  if (users == 0 || --users > 0) return;
  closing = 1;
  start_turn();
  for (int i = 0; i < helpers; i++) pthread_join(threads[i], 0);
  helpers = 0;
}

// Takes a step over elements 0 to `size`, here or with all threads of the pool.
void step(int rule, float *p, const float *g, float *m, float *v, const float *c, int64_t size,
          int together) {
  job = (Job){rule, p, g, m, v, c, size};
  if (!together || helpers == 0) {
    run(&job, 0, size);
    return;
  }
  start_turn();
  run_part(0);
  while (atomic_load(&busy) > 0) pause_briefly();
}

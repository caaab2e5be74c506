// The native limit of the benchmark: the fused loops of the optimizers as a C programmer writes them,
// for the compiler to vectorize. Same mathematics as the rules in src/rules.

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct {
  int rule; // 0 SGD, 1 momentum, 2 RMSprop, 3 Adam, 4 AdamW
  float *p;
  const float *g;
  float *m;
  float *v;
  const float *c; // numbers of the step, see native.ts
} Job;

static void range(const Job *job, long from, long to) {
  float *restrict p = job->p, *restrict m = job->m, *restrict v = job->v;
  const float *restrict g = job->g, *c = job->c;
  const float c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3], c4 = c[4], c5 = c[5], c6 = c[6];
  switch (job->rule) {
  case 0:
    for (long i = from; i < to; i++) p[i] -= g[i] * c0;
    break;
  case 1:
    for (long i = from; i < to; i++) {
      const float b = m[i] * c1 + g[i];
      m[i] = b;
      p[i] -= b * c0;
    }
    break;
  case 2:
    for (long i = from; i < to; i++) {
      const float s = m[i] * c1 + g[i] * c2 * g[i];
      m[i] = s;
      p[i] -= g[i] / (sqrtf(s) + c3) * c0;
    }
    break;
  default:
    for (long i = from; i < to; i++) {
      const float a = m[i] + (g[i] - m[i]) * c1;
      const float s = v[i] * c2 + g[i] * c3 * g[i];
      m[i] = a;
      v[i] = s;
      p[i] = p[i] * c6 - a / (sqrtf(s) * c4 + c5) * c0;
    }
  }
}

// One helper thread, which spins: the benchmark measures the limit, not the waking.
static _Atomic int turn, done, stop;
static Job shared;
static long shared_from, shared_to;
static pthread_t helper;

static void *help(void *unused) {
  (void)unused;
  for (int seen = 0;;) {
    while (atomic_load(&turn) == seen)
      if (atomic_load(&stop)) return 0;
    seen = atomic_load(&turn);
    range(&shared, shared_from, shared_to);
    atomic_store(&done, seen);
  }
}

void start_helper(void) {
  atomic_store(&turn, 0);
  atomic_store(&done, 0);
  atomic_store(&stop, 0);
  pthread_create(&helper, 0, help, 0);
}

void stop_helper(void) {
  atomic_store(&stop, 1);
  pthread_join(helper, 0);
}

void step(int rule, float *p, const float *g, float *m, float *v, const float *c, double n,
          int threads) {
  const Job job = {rule, p, g, m, v, c};
  const long size = (long)n, half = threads > 1 ? size / 2 / 64 * 64 : size;
  if (threads > 1) {
    shared = job;
    shared_from = half;
    shared_to = size;
    atomic_fetch_add(&turn, 1);
  }
  range(&job, 0, half);
  if (threads > 1)
    while (atomic_load(&done) != atomic_load(&turn)) {
    }
}

/* The life of two tasks between a producer, two daemons and one server.

   A d_step with a mark STEP is one script of common/farpool_common/lua: the server runs it whole.  Between any
   two steps anything may happen: a daemon dies, is paused or loses an answer, a lease lapses.  What cannot go on
   for ever in practice is bounded: all faults together by FAULTS, heartbeats by BEATS for each run.

   Switches that put a mistake in: PLAIN_ENQUEUE SPLIT_CLAIM NO_FENCE BEAT_RECREATES BLIND_RECOVERY NO_SELF_FENCE
   NO_PUT_BACK NO_LIMIT HUNG_CHILD.  NO_RECONCILE leaves something out.  ROLLBACK: the server may lose
   its last writes (failover); with COUNTED_TOKENS the server counts executions instead of their names being random. */

#define TASKS 2
#ifndef FAULTS
#define FAULTS 2        /* deaths, shutdowns, lost answers, sleepy daemons: of all kinds together */
#endif
#ifndef BEATS
#define BEATS 1         /* heartbeats and deliveries of one run: they end at the task's time limit */
#endif
#define LIMIT 1         /* abandons beyond which a task is failed instead of run */

/* --- what the server has --- */
bool exists[TASKS];     /* a record */
byte queued[TASKS];     /* copies of the id in the queue */
byte aside[TASKS];      /* copies in the list of the doorbells */
byte lease[TASKS];      /* execution that holds the task, 0 for none */
byte holder[TASKS];     /* daemon that it was given to, 0 for one that is dead */
bool lapsed[TASKS];     /* lease and grace are over */
byte abandons[TASKS];
bool ended[TASKS];
byte results[TASKS];    /* results ever shown */

/* --- what daemons know: see AT --- */
byte mine[4];           /* execution by which a task is held, 0 for none */
byte stage[4];          /* of a held task */
byte beats[4];
bool rung[4];           /* a doorbell moved the id and no claim has adopted it yet */

byte faults = 0;

#define WAITS   0
#define RUNNING 1       /* a child has it */
#define HAS_RUN 2       /* its result is to be told */

#define OF(d, t)  ((d) * TASKS + (t))
#define AT(t)     OF(d, t)
#define ME        (d + 1)
#define RUNS(d, t) (mine[OF(d, t)] != 0 && stage[OF(d, t)] == RUNNING)
#define PLACES(t) (ended[t] + (lease[t] != 0) + (1 - ended[t]) * (queued[t] + aside[t]))
#define IS_KNOWN(t) (mine[OF(0, t)] == lease[t] || mine[OF(1, t)] == lease[t])
#ifdef ONE_TASK
#define LAST 0          /* the task that is canceled if it still waits */
#else
#define LAST 1
#endif
#define BOTH(step) :: d_step { step(0) } :: d_step { step(1) }

#ifdef ROLLBACK         /* of the first task only: what the replica has heard of */
bool old_exists, old_lapsed, old_ended;
byte old_queued, old_aside, old_lease, old_holder, old_abandons, old_results;
#define IS_OLD(token) (token == old_lease)
#else
#define IS_OLD(token) false
#endif

#ifdef COUNTED_TOKENS
byte counter[TASKS];
byte old_counter;
inline new_token(t) { counter[t]++; token = counter[t] }
#else
/* Random names: unlike all that anybody still has. */
inline new_token(t) {
    token = 1;
    do :: token == lease[t] || token == mine[OF(0, t)] || token == mine[OF(1, t)] || IS_OLD(token) -> token++
       :: else -> break od
}
#endif

inline unlease(t) { lease[t] = 0; holder[t] = 0; lapsed[t] = 0 }
inline give(t)    { new_token(t); lease[t] = token; holder[t] = ME; lapsed[t] = 0; token = 0 }
inline hold(t)    { mine[AT(t)] = lease[t]; stage[AT(t)] = WAITS; beats[AT(t)] = 0 }
inline forget(t)  { mine[AT(t)] = 0; stage[AT(t)] = WAITS; beats[AT(t)] = 0 }

/* ---------------------------------------------------------------- producer */

inline enqueue(t) {
#ifdef PLAIN_ENQUEUE
    exists[t] = 1; queued[t]++
#else
    if :: !exists[t] -> exists[t] = 1; queued[t]++ :: else fi
#endif
}

active proctype Producer() {
send: skip;
    d_step {                                                    /* STEP enqueue */
        enqueue(0);
#ifndef ONE_TASK
        enqueue(1)
#endif
    };
    if :: faults < FAULTS -> faults++; goto send :: skip fi;    /* its answer is lost: it is sent again */
    d_step { if :: exists[LAST] && lease[LAST] == 0 -> ended[LAST] = 1 :: else fi }    /* STEP cancel */
}

/* ---------------------------------------------------------------- daemon */

inline die() {                                                  /* SIGKILL: the kernel takes the children along */
    faults < FAULTS -> faults++;
    forget(0); forget(1); rung[AT(0)] = 0; rung[AT(1)] = 0;
    if :: holder[0] == ME -> holder[0] = 0 :: else fi;
    if :: holder[1] == ME -> holder[1] = 0 :: else fi;
#ifdef ROLLBACK
    if :: old_holder == ME -> old_holder = 0 :: else fi
#endif
}

inline ring(t) {                                                /* BLMOVE, no script */
    queued[t] > 0 && mine[AT(t)] == 0 && !rung[AT(0)] && !rung[AT(1)] -> queued[t]--; aside[t]++; rung[AT(t)] = 1
}

#define CAN_TAKE(t) (mine[AT(t)] == 0 && (rung[AT(t)] || queued[t] > 0))

inline take(t) {                                                /* adopts what a doorbell moved, or pops the queue */
    if :: rung[AT(t)] && aside[t] > 0 -> aside[t]--; found = 1
       :: rung[AT(t)] && aside[t] == 0 -> found = 0
       :: else -> queued[t]--; found = 1 fi;
    if :: found && !ended[t] && lease[t] == 0 -> give(t)
       :: else fi;                                              /* put back meanwhile, or a duplicate: dropped */
    found = 0
}
inline hear(t) {
    rung[AT(t)] = 0;
    if :: holder[t] == ME && mine[AT(t)] == 0 && lease[t] != 0 -> hold(t) :: else fi
}

inline claim(t)         { CAN_TAKE(t) -> take(t); hear(t) }
inline claim_unheard(t) { CAN_TAKE(t) && faults < FAULTS -> faults++; take(t) }

/* What was abandoned is claimed alone. */
#define CAN_TAKE_BOTH (CAN_TAKE(0) && CAN_TAKE(1) && abandons[0] + abandons[1] == 0)
inline claim_both()         { CAN_TAKE_BOTH -> take(0); take(1); hear(0); hear(1) }
inline claim_both_unheard() { CAN_TAKE_BOTH && faults < FAULTS -> faults++; take(0); take(1) }

#define MAY_RUN(t) (abandons[t] <= LIMIT && lease[t] == mine[AT(t)] && !lapsed[t])
inline start(t)    { mine[AT(t)] != 0 && stage[AT(t)] == WAITS && MAY_RUN(t) -> stage[AT(t)] = RUNNING }
inline run_ends(t) { mine[AT(t)] != 0 && stage[AT(t)] == RUNNING -> stage[AT(t)] = HAS_RUN }
inline give_up(t)  { mine[AT(t)] != 0 && stage[AT(t)] == WAITS && abandons[t] > LIMIT -> stage[AT(t)] = HAS_RUN }

#ifdef HUNG_CHILD       /* its heartbeats go on for ever */
#define COUNT 0
#else
#define COUNT 1
#endif
inline beat(t) {
    mine[AT(t)] != 0 && beats[AT(t)] < BEATS && lease[t] == mine[AT(t)] ->
        beats[AT(t)] = beats[AT(t)] + COUNT; lapsed[t] = 0
}
inline hear_of_loss(t) {                                        /* the same script: the child is killed */
#ifdef BEAT_RECREATES
    mine[AT(t)] != 0 && lease[t] != mine[AT(t)] && !ended[t] -> lease[t] = mine[AT(t)]; holder[t] = ME; lapsed[t] = 0
#else
    mine[AT(t)] != 0 && lease[t] != mine[AT(t)] && stage[AT(t)] != HAS_RUN -> forget(t)
#endif
}
inline deliver(t) {
    mine[AT(t)] != 0 && stage[AT(t)] != WAITS && beats[AT(t)] < BEATS -> beats[AT(t)] = beats[AT(t)] + COUNT;
    if :: lease[t] == mine[AT(t)] -> assert(holder[t] == ME) :: else -> forget(t) fi
}

inline write(t) {
#ifdef NO_FENCE
    results[t]++; ended[t] = 1; unlease(t)
#else
    if :: lease[t] == mine[AT(t)] -> assert(holder[t] == ME);   /* nobody ends what was given to another */
              results[t]++; ended[t] = 1; unlease(t)
       :: else fi                                               /* written before, or stale: nothing is written */
#endif
}
inline finish(t)         { mine[AT(t)] != 0 && stage[AT(t)] == HAS_RUN -> write(t); forget(t) }
inline finish_unheard(t) { mine[AT(t)] != 0 && stage[AT(t)] == HAS_RUN && faults < FAULTS -> faults++; write(t) }

inline put_back(t) { unlease(t); queued[t]++ }
inline release(t) {                                             /* at a shutdown */
    mine[AT(t)] != 0 && stage[AT(t)] != HAS_RUN && faults < FAULTS -> faults++;
    if :: lease[t] == mine[AT(t)] -> put_back(t) :: else fi;
    forget(t)
}
inline disown(t) {                                              /* ours, and not heard of: a claim's answer was lost */
    lease[t] != 0 && holder[t] == ME && mine[AT(t)] == 0 -> put_back(t)
}
inline undo(t) {                                                /* at a shutdown */
    rung[AT(t)] && faults < FAULTS -> faults++; rung[AT(t)] = 0;
    if :: aside[t] > 0 -> aside[t]--; queued[t]++ :: else fi
}

proctype Daemon(byte d) {
    byte token; bool found;
#ifdef SPLIT_CLAIM
    bool has[TASKS];
#endif
end:
    do
    :: d_step { die() }
    BOTH(ring)
#ifdef SPLIT_CLAIM
    :: d_step { CAN_TAKE(0) && CAN_TAKE(1) -> queued[0]--; queued[1]--; has[0] = 1; has[1] = 1 };
       if :: d_step { faults < FAULTS -> faults++; has[0] = 0; has[1] = 0 }        /* dies in between */
          :: d_step { give(0); give(1); hold(0); hold(1); has[0] = 0; has[1] = 0 } fi
#else
    :: d_step { claim_both() }                                  /* STEP claim */
    :: d_step { claim_both_unheard() }
    BOTH(claim)
    BOTH(claim_unheard)
#endif
    BOTH(start)
    BOTH(run_ends)
    BOTH(give_up)
    BOTH(beat)                                                  /* STEP heartbeat */
    BOTH(hear_of_loss)
    BOTH(deliver)                                               /* STEP deliver */
    BOTH(finish)                                                /* STEP finish */
    BOTH(finish_unheard)
    BOTH(release)                                               /* STEP release */
#ifndef NO_RECONCILE
    BOTH(disown)
#endif
    BOTH(undo)                                                  /* STEP undo_doorbell */
    od
}

/* ---------------------------------------------------------------- time, and whoever looks */

inline recover(t) {
    lease[t] != 0 && lapsed[t] -> unlease(t); queued[t]++;
#ifndef NO_LIMIT
    abandons[t]++
#endif
}
inline put_back_stray(t) { aside[t] > 0 && !rung[OF(0, t)] && !rung[OF(1, t)] -> aside[t]--; queued[t]++ }
inline put_back_early(t) { aside[t] > 0 && faults < FAULTS -> faults++; aside[t]--; queued[t]++ }    /* it only slept */

/* Every daemon looks now and then, and any number of them at once. */
active proctype Recovery() {
    byte t;
end:
    do
#ifdef BLIND_RECOVERY                                           /* looks and acts in two steps */
    :: lease[0] != 0 && lapsed[0] -> d_step { unlease(0); queued[0]++; abandons[0]++ }
    :: lease[1] != 0 && lapsed[1] -> d_step { unlease(1); queued[1]++; abandons[1]++ }
#else
    BOTH(recover)                                               /* STEP recover */
#endif
#ifndef NO_PUT_BACK
    BOTH(put_back_stray)
    BOTH(put_back_early)
#endif
    od
}

/* A lease may lapse at any moment; by then the daemon, or its template, has killed what it runs.
   What is over its limit is not run, so it silences nobody: its lease lapses only where no living daemon has it. */
inline kill(i) { if :: stage[i] == RUNNING -> stage[i] = WAITS :: else fi }
inline lapse(t) {
    lease[t] != 0 && !lapsed[t] && (abandons[t] <= LIMIT || !IS_KNOWN(t)) -> lapsed[t] = 1;
#ifndef NO_SELF_FENCE
    kill(OF(0, t)); kill(OF(1, t))
#endif
}
active proctype Clock() {
end:
    do
    BOTH(lapse)
    od
}

#ifdef ROLLBACK
/* A replica takes over that has not heard of the last writes. */
active proctype Failover() {
    d_step {
#ifdef DURABLE
        exists[0] ->
#endif
        old_exists = exists[0]; old_queued = queued[0]; old_aside = aside[0]; old_lease = lease[0];
        old_holder = holder[0]; old_lapsed = lapsed[0]; old_abandons = abandons[0]; old_ended = ended[0];
        old_results = results[0];
#ifdef COUNTED_TOKENS
        old_counter = counter[0]
#endif
    };
    d_step {
        exists[0] = old_exists; queued[0] = old_queued; aside[0] = old_aside; lease[0] = old_lease;
        holder[0] = old_holder; lapsed[0] = old_lapsed; abandons[0] = old_abandons; ended[0] = old_ended;
        results[0] = old_results;
#ifdef COUNTED_TOKENS
        counter[0] = old_counter;
#endif
        old_exists = 0; old_queued = 0; old_aside = 0; old_lease = 0; old_holder = 0; old_lapsed = 0;
        old_abandons = 0; old_ended = 0; old_results = 0
    }
}
#endif

init { atomic { run Daemon(0); run Daemon(1) } }

/* at most one result, in at most one place */
ltl safe  { [] (results[0] <= 1 && results[1] <= 1 && PLACES(0) <= 1 && PLACES(1) <= 1) }
/* what exists is somewhere */
ltl kept  { [] ((exists[0] -> PLACES(0) >= 1) && (exists[1] -> PLACES(1) >= 1)) }
/* nothing runs twice at once */
ltl alone { [] (!(RUNS(0, 0) && RUNS(1, 0)) && !(RUNS(0, 1) && RUNS(1, 1))) }
/* what exists ends */
ltl live  { [] ((exists[0] -> <> ended[0]) && (exists[1] -> <> ended[1])) }

/* These must not hold, or the model would show nothing. */
ltl never_ends      { [] !(results[0] == 1 && results[LAST] == 1) }
ltl never_cancels   { [] !(ended[LAST] && results[LAST] == 0) }
ltl never_again     { [] !(abandons[0] == LIMIT && RUNS(1, 0)) }
ltl never_gives_up  { [] !(abandons[0] > LIMIT && results[0] == 1) }

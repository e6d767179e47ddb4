/* The life of two tasks between a producer, two daemons and one server.

   Each d_step marked [name.lua] is one script of common/farpool_common/lua: the server runs it whole.
   Between any two steps anything may happen: a daemon dies, is paused, or loses an answer; leases lapse.
   Switches that put a mistake in: PLAIN_ENQUEUE NO_FENCE SPLIT_CLAIM BLIND_RECOVERY NO_PUT_BACK NO_RECONCILE
   BEAT_RECREATES NO_LIMIT HUNG_CHILD NO_SELF_FENCE.  ROLLBACK: the server may lose its last writes (failover);
   with COUNTED_TOKENS the names of executions are counted by the server instead of drawn at random. */

#define TASKS   2
#define DAEMONS 2
#define LIMIT   1       /* abandons after which a task is failed instead of run */
#define DEATHS  1       /* how often, in all, a daemon dies */
#define LOSSES  1       /* how often, in all, an answer is lost */
#define BEATS   1       /* heartbeats for one run: they end at the task's time limit */

/* --- what the server has --- */
bool exists[TASKS];     /* record */
byte queued[TASKS];     /* copies of the id in the queue */
byte aside[TASKS];      /* copies in the list of the doorbells */
byte lease[TASKS];      /* execution that holds the task, 0 for none */
byte holder[TASKS];     /* daemon that it was given to */
bool lapsed[TASKS];     /* lease + grace are over */
byte abandons[TASKS];
bool ended[TASKS];
byte results[TASKS];    /* results ever shown */
byte written_by[TASKS]; /* execution that wrote the result */
byte counter = 0;       /* for COUNTED_TOKENS: rolled back with everything else */

/* --- what only an observer sees --- */
byte drawn = 0;         /* random execution ids: never used twice */
byte deaths = 0, losses = 0;
bool runs[4];           /* daemon * TASKS + task: a child runs it now */

#ifdef COUNTED_TOKENS
#define NEW_TOKEN(token) counter++; token = counter
#else
#define NEW_TOKEN(token) drawn++; token = drawn
#endif
#define RUNS(d, t) runs[(d) * TASKS + (t)]
#define PLACES(t) (queued[t] + aside[t] + (lease[t] != 0) + ended[t])
#define LEAST 100       /* tokens wrap: enough for all bounded histories */

inline unlease(t) { lease[t] = 0; holder[t] = 0; lapsed[t] = 0 }

proctype Producer(byte t) {
    byte sent = 0;
send:
    d_step {                                            /* [enqueue.lua] */
#ifdef PLAIN_ENQUEUE
        exists[t] = 1; queued[t]++;
#else
        if :: !exists[t] -> exists[t] = 1; queued[t]++ :: else fi;
#endif
        sent++
    }
    if :: sent < 2 && losses < LOSSES -> losses++; goto send :: skip fi
}

/* A daemon.  After its death another one takes its name's place, with another name (its number + 2, + 4, ...). */
proctype Daemon(byte d) {
    byte mine[TASKS]; byte beats[TASKS]; bool told[TASKS];
    byte name = d + 1; byte t; bool ok; bool hears;
    do
    :: deaths < DEATHS ->                               /* SIGKILL: the kernel takes the children along */
       d_step { deaths++; name = name + DAEMONS;
                for (t : 0 .. TASKS - 1) { mine[t] = 0; beats[t] = 0; told[t] = 0; RUNS(d, t) = 0 }; t = 0 }

    :: atomic { queued[0] + queued[1] > 0 && mine[0] == 0 && mine[1] == 0 ->    /* a doorbell: BLMOVE, no script */
       d_step { if :: queued[0] > 0 -> queued[0]--; aside[0]++
                   :: else -> queued[1]--; aside[1]++ fi } }

    :: (queued[0] + queued[1] + aside[0] + aside[1] > 0) && mine[0] == 0 && mine[1] == 0 ->
       if :: hears = 1 :: losses < LOSSES -> losses++; hears = 0 fi;
#ifdef SPLIT_CLAIM
       d_step { for (t : 0 .. TASKS - 1) { if :: queued[t] > 0 -> queued[t]--; told[t] = 1 :: else fi }; t = 0 };
       if :: deaths < DEATHS -> deaths++; told[0] = 0; told[1] = 0; goto over :: else fi;
       d_step { for (t : 0 .. TASKS - 1) {
           if :: told[t] -> told[t] = 0; NEW_TOKEN(mine[t]); lease[t] = mine[t]; holder[t] = name; lapsed[t] = 0
              :: else fi }; t = 0 };
#else
       d_step {                                         /* [claim.lua], of both tasks at once */
           for (t : 0 .. TASKS - 1) {
               if :: aside[t] > 0 -> aside[t]-- :: aside[t] == 0 && queued[t] > 0 -> queued[t]-- :: else -> goto next fi;
               if :: !ended[t] && (lease[t] == 0 || lapsed[t]) ->
                      NEW_TOKEN(ok); lease[t] = drawn + counter; holder[t] = name; lapsed[t] = 0;
                      if :: hears -> mine[t] = lease[t]; beats[t] = 0 :: else fi
                  :: else                               /* a duplicate: dropped, and counted */
               fi;
               next: skip
           }; t = 0
       };
#endif
       over: skip

    :: d_step { mine[0] != 0 && abandons[0] <= LIMIT && !RUNS(d, 0) && lease[0] == mine[0] && !lapsed[0] -> RUNS(d, 0) = 1 }
    :: d_step { mine[1] != 0 && abandons[1] <= LIMIT && !RUNS(d, 1) && lease[1] == mine[1] && !lapsed[1] -> RUNS(d, 1) = 1 }

    :: mine[0] + mine[1] != 0 ->
       if :: mine[0] != 0 -> t = 0 :: mine[1] != 0 -> t = 1 fi;
       if
#ifdef HUNG_CHILD
       :: 1 ->
#else
       :: beats[t] < BEATS -> beats[t]++;
#endif
          d_step {                                      /* [heartbeat.lua] */
              ok = (lease[t] == mine[t]);
              if :: ok -> lapsed[t] = 0
#ifdef BEAT_RECREATES
                 :: !ok && !ended[t] -> lease[t] = mine[t]; holder[t] = name; lapsed[t] = 0; ok = 1
#endif
                 :: else -> mine[t] = 0; RUNS(d, t) = 0 /* taken away: the child is killed */
              fi }
       :: mine[t] != 0 ->
          d_step {                                      /* [finish.lua] [succeed.lua] [fail.lua] */
              RUNS(d, t) = 0;
#ifdef NO_FENCE
              results[t]++; ended[t] = 1; written_by[t] = mine[t]; unlease(t); ok = 1
#else
              if :: lease[t] == mine[t] && !ended[t] ->
                     assert(holder[t] == name);         /* nobody ends what was given to another */
                     results[t]++; ended[t] = 1; written_by[t] = mine[t]; unlease(t)
                 :: else                                /* written before, or stale: nothing is written */
              fi
#endif
          };
          if :: losses < LOSSES -> losses++             /* its answer is lost: it is sent again */
             :: mine[t] = 0 fi
       :: d_step { mine[t] != 0 && !RUNS(d, t) ->       /* [release.lua], at a shutdown: not charged */
              if :: lease[t] == mine[t] -> unlease(t); queued[t]++ :: else fi;
              mine[t] = 0 }
       fi

#ifndef NO_RECONCILE
    /* What a heartbeat finds in our name and we have not heard of goes back: its claim's answer was lost. */
    :: d_step { lease[0] != 0 && holder[0] == name && mine[0] == 0 -> unlease(0); queued[0]++ }   /* [release.lua] */
    :: d_step { lease[1] != 0 && holder[1] == name && mine[1] == 0 -> unlease(1); queued[1]++ }   /* [release.lua] */
#endif
    :: ended[0] && ended[1] -> break
    od
}

/* Whoever looks: every daemon does, now and then, and any number of them at once. */
active proctype Recovery() {
    byte t;
end:
    do
    :: atomic { lease[0] != 0 && lapsed[0] -> t = 0 }; goto take
    :: atomic { lease[1] != 0 && lapsed[1] -> t = 1 };
take:
#ifdef BLIND_RECOVERY
       skip;                                            /* looks and acts in two steps */
       d_step { unlease(t); queued[t]++; abandons[t]++ }
#else
       d_step { if :: lease[t] != 0 && lapsed[t] ->     /* [recover.lua] */
                       unlease(t);
                       if :: !ended[t] -> queued[t]++;
#ifndef NO_LIMIT
                              abandons[t]++
#endif
                          :: else fi
                   :: else fi }
#endif
#ifndef NO_PUT_BACK
    :: d_step { aside[0] > 0 -> aside[0]--; queued[0]++ }       /* [recover.lua], and [undo_doorbell.lua] at a shutdown */
    :: d_step { aside[1] > 0 -> aside[1]--; queued[1]++ }
#endif
    od
}

/* Time: a lease may lapse at any moment.  By then the daemon's template has killed what it runs. */
active proctype Clock() {
end:
    do
    :: d_step { lease[0] != 0 && !lapsed[0] -> lapsed[0] = 1;
#ifndef NO_SELF_FENCE
        RUNS(0, 0) = 0; RUNS(1, 0) = 0
#endif
       }
    :: d_step { lease[1] != 0 && !lapsed[1] -> lapsed[1] = 1;
#ifndef NO_SELF_FENCE
        RUNS(0, 1) = 0; RUNS(1, 1) = 0
#endif
       }
    od
}

#ifdef ROLLBACK
/* A replica takes over that has not heard of the last writes.  Only of the first task, to keep it small. */
active proctype Failover() {
    bool e; byte q, a, l, h, n, r, w, c; bool p, f;
    atomic { e = exists[0]; q = queued[0]; a = aside[0]; l = lease[0]; h = holder[0]; p = lapsed[0];
             n = abandons[0]; f = ended[0]; r = results[0]; w = written_by[0]; c = counter };
    atomic { exists[0] = e; queued[0] = q; aside[0] = a; lease[0] = l; holder[0] = h; lapsed[0] = p;
             abandons[0] = n; ended[0] = f; results[0] = r; written_by[0] = w; counter = c }
}
#endif

init { atomic { run Producer(0); run Producer(1); run Daemon(0); run Daemon(1) } }

ltl safe  { [] (results[0] <= 1 && results[1] <= 1 && PLACES(0) <= 1 && PLACES(1) <= 1) }
ltl kept  { [] ((exists[0] -> PLACES(0) >= 1) && (exists[1] -> PLACES(1) >= 1)) }
ltl alone { [] (!(RUNS(0, 0) && RUNS(1, 0)) && !(RUNS(0, 1) && RUNS(1, 1))) }
ltl live  { [] ((exists[0] -> <> ended[0]) && (exists[1] -> <> ended[1])) }

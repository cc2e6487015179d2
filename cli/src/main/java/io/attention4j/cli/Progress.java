package io.attention4j.cli;

import java.io.PrintStream;
import java.util.Timer;
import java.util.TimerTask;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Says on stderr what is being waited for, but only when it takes longer than a second: a bar where
 * stderr is a terminal and the number of steps is known, else one line, which also suits logs.
 */
final class Progress implements AutoCloseable {
  /** Set by the launcher where its stderr is a terminal; the JDK cannot tell. */
  static final String TERMINAL_PROPERTY = "attention4j.stderr.terminal";

  private static final long SILENT_MILLIS = 1000;
  private static final int WIDTH = 79;

  private final String what;
  private final long steps;
  private final Timer timer = new Timer("attention4j-progress", true);
  private final PrintStream err = System.err;

  /** Guards all below. */
  private final Object lock = new Object();

  private long done;
  private ProgressBar bar;

  private Progress(String what, long steps) {
    this.what = what;
    this.steps = steps;
    timer.schedule(
        new TimerTask() {
          @Override
          public void run() {
            appear();
          }
        },
        SILENT_MILLIS);
  }

  /** Something without steps. */
  static Progress of(String what) {
    return new Progress(what, 0);
  }

  /** Something of so many steps. */
  static Progress of(String what, long steps) {
    return new Progress(what, steps);
  }

  /** One step more is done. */
  void step() {
    synchronized (lock) {
      done++;
      if (bar != null) {
        bar.stepTo(done);
      }
    }
  }

  private void appear() {
    synchronized (lock) {
      if (steps == 0 || !Boolean.getBoolean(TERMINAL_PROPERTY)) {
        err.println("attention4j: " + what + " ...");
        return;
      }
      // A consumer of our own: the library's would load a native terminal library for the width.
      bar =
          new ProgressBarBuilder()
              .setTaskName(what)
              .setInitialMax(steps)
              .setStyle(ProgressBarStyle.ASCII)
              .setConsumer(new DelegatingProgressBarConsumer(line -> err.print("\r" + line), WIDTH))
              .build();
      bar.stepTo(done);
    }
  }

  @Override
  public void close() {
    timer.cancel();
    synchronized (lock) {
      if (bar != null) {
        bar.close();
        bar = null;
        err.print("\r" + " ".repeat(WIDTH) + "\r");
      }
    }
  }
}

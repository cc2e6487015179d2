package io.attention4j.kvcache;

import java.util.concurrent.Future;

/** A page in a {@link BlockFile}, shared by the caches that count it. */
final class FileBlock {
  final int index;

  /** Ends when the page is in the file, with its failure if it is not. */
  final Future<?> written;

  private final BlockFile file;
  private int references = 1;

  FileBlock(BlockFile file, int index, Future<?> written) {
    this.file = file;
    this.index = index;
    this.written = written;
  }

  synchronized void share() {
    references++;
  }

  synchronized void release() {
    if (--references == 0) {
      file.free(index);
    }
  }
}

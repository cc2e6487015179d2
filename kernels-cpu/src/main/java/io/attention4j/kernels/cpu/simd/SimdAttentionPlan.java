package io.attention4j.kernels.cpu.simd;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.AttentionChecks;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.kernels.cpu.attention.MaskBounds;
import io.attention4j.kernels.cpu.attention.TileTable;

/** Cuts a batch into pieces and runs them on the workers. */
final class SimdAttentionPlan implements AttentionPlan {
  /** Pieces per worker below which pieces are made smaller. */
  private static final int PIECES_PER_WORKER = 4;

  private final AttentionSpec spec;
  private final Parallel workers;
  private final AttentionChecks checks;
  private final TileTable table = new TileTable();
  private final PartialRows partials;
  private final Prefill prefill;
  private final Prefill.Room[] rooms;
  private final Decode decode;
  private final DecodeRoom[] decodeRooms;
  private final Parallel.Body body = this::runPiece;
  private final Parallel.Body merge = this::mergeChunks;

  SimdAttentionPlan(AttentionSpec spec, Parallel workers) {
    this.spec = spec;
    this.workers = workers;
    checks = new AttentionChecks(spec, true);
    partials = new PartialRows(spec);
    MaskBounds mask = MaskBounds.of(spec.mask());
    TileScores scoring = new TileScores(spec, mask);
    prefill = new Prefill(spec, mask, table, scoring, partials);
    decode = new Decode(spec, mask, table, scoring, partials);
    rooms = new Prefill.Room[workers.threads()];
    decodeRooms = new DecodeRoom[workers.threads()];
    for (int worker = 0; worker < rooms.length; worker++) {
      rooms[worker] = new Prefill.Room(spec);
      decodeRooms[worker] = decode.room();
    }
  }

  @Override
  public void run(AttentionBatch batch, AttentionInputs in, AttentionOutputs out) {
    checks.require(batch, in, out);
    table.build(batch, in.kv());
    prefill.begin(batch, in, out);
    decode.begin(batch, in, out);
    partials.clear();
    switch (in.selection()) {
      case Selection.None none -> {
        int lanes = pieceLanes(batch);
        for (int s = 0; s < batch.sequences(); s++) {
          for (int h = 0; h < spec.kvHeads(); h++) {
            boolean few = out.maxima() == null && isFew((long) batch.rows(s) * spec.groupSize());
            if (!few) {
              prefill.addRows(s, h, lanes);
            } else if (batch.rows(s) > 0) {
              decode.addRows(s, h);
            }
          }
        }
      }
      case Selection.Blocks(BlockMask blocks) -> {
        for (int s = 0; s < batch.sequences(); s++) {
          if (isFew((long) batch.rows(s) * spec.groupSize())) {
            decode.addBlocks(blocks, s);
          } else {
            prefill.addBlocks(blocks, s);
          }
        }
      }
      case Selection.Gathered(GatheredKeys keys) -> {
        prefill.clear();
        for (int group = 0; group < keys.groups(); group++) {
          int rows = keys.rowIndptr()[group + 1] - keys.rowIndptr()[group];
          if (!isFew(rows)) {
            prefill.addGroup(keys, group);
          } else if (rows > 0) {
            decode.addGroup(keys, group);
          }
        }
      }
    }
    partials.reserve();
    workers.run(prefill.pieces() + decode.pieces(), body);
    workers.run(prefill.merges() + decode.merges(), merge);
  }

  private static boolean isFew(long rows) {
    return rows <= DecodeRoom.MOST_ROWS;
  }

  private int pieceLanes(AttentionBatch batch) {
    long lanes = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      for (int h = 0; h < spec.kvHeads(); h++) {
        lanes += (long) batch.rows(s) * spec.groupSize() * prefill.chunks(s, h);
      }
    }
    int pieceLanes = QueryLanes.most(spec);
    while (pieceLanes > QueryLanes.WIDTH
        && lanes < (long) PIECES_PER_WORKER * workers.threads() * pieceLanes) {
      pieceLanes /= 2;
    }
    return pieceLanes;
  }

  private void runPiece(int piece, int worker) {
    if (piece < prefill.pieces()) {
      prefill.run(piece, rooms[worker]);
    } else {
      decode.run(piece - prefill.pieces(), decodeRooms[worker]);
    }
  }

  private void mergeChunks(int job, int worker) {
    if (job < prefill.merges()) {
      prefill.merge(job);
    } else {
      decode.merge(job - prefill.merges());
    }
  }

  @Override
  public void close() {}
}

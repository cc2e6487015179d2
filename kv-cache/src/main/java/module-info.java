/** KV caches. */
module io.attention4j.kvcache {
  requires transitive io.attention4j.engine;
}

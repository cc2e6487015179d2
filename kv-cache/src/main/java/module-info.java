/** KV caches: contiguous and paged. */
module io.attention4j.kvcache {
  requires transitive io.attention4j.engine;
  requires jdk.unsupported; // ExtendedOpenOption.DIRECT

  exports io.attention4j.kvcache;
  exports io.attention4j.kvcache.policy;

  provides io.attention4j.engine.operator.KvCacheProvider with
      io.attention4j.kvcache.KvCaches;
}

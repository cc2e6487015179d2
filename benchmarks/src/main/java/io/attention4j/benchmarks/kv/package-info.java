/** What KV-cache policies and codecs cost in time, against what the machine allows. */
package io.attention4j.benchmarks.kv;

/** Model files of rwkv.cpp. Not exported. */
package io.attention4j.llm.rwkv;

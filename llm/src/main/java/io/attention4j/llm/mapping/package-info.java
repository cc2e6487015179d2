/** Read-only file mappings, shared by the readers of this module. Not exported. */
package io.attention4j.llm.mapping;

"""The sums of bare-sum.ts over `amounts` by a dataframe: polars, lazily and streaming.

Arguments: the bill's folder, the file to write, the file for the measurement, the columns to add up.
"""

import json
import resource
import sys
import time

import polars

began = time.monotonic()
folder, out, measurement, *amounts = sys.argv[1:]
sums = (
    polars.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=False)
    .group_by(
        polars.col("resource_tags").map.get("user_team").alias("team"),
        polars.col("line_item_usage_start_date").dt.date().alias("day"),
        polars.col("line_item_line_item_type"),
    )
    .agg(polars.col(name).sum() for name in amounts)
    .collect(engine="streaming")
)
with open(out, "w") as file:
    file.write(str(sums[amounts[0]].sum()))
used = resource.getrusage(resource.RUSAGE_SELF)
with open(measurement, "w") as file:
    json.dump(
        {
            "wallMillis": (time.monotonic() - began) * 1000,
            "cpuMillis": (used.ru_utime + used.ru_stime) * 1000,
            "peakMemoryKiB": used.ru_maxrss,
        },
        file,
    )

"""Runs a script of Spark SQL for featuregraph, statement by statement: run-spark.py <script> <output folder>.

The output is whole if it holds _SUCCESS, which Spark writes last. Beside it stands <output>.unfinished meanwhile. The last
line that is printed is the report.
"""

import json
import os
import sys
import threading

from pyspark import SparkFiles
from pyspark.sql import SparkSession

REFUSED = 3


def report(**values):
    print("featuregraph-report " + json.dumps(values), flush=True)


def read_script(path):
    """As it was named, or where --files has put it on a cluster."""
    name = os.path.basename(path)
    found = next((one for one in (path, name, SparkFiles.get(name)) if os.path.exists(one)), None)
    if found is None:
        raise SystemExit("the script %s was not shipped to the driver; submit it with --files" % name)
    with open(found, encoding="utf-8") as file:
        return [statement for statement in file.read().split(";\n") if statement.strip()]


def begin_output(spark, output):
    """The mark beside the output, or the reason why it cannot be written; as output-folder.ts does it."""
    hadoop = spark._jvm.org.apache.hadoop.fs
    path = hadoop.Path(output)
    mark = hadoop.Path(output.rstrip("/") + ".unfinished")
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    if files.exists(path) and len(files.listStatus(path)) > 0:
        if files.exists(hadoop.Path(path, "_SUCCESS")):
            report(refused="%s holds the rows of a finished run; name another folder, or remove it" % output)
            return None
        if not files.exists(mark):
            report(
                refused="%s holds files that no run left; expected a folder that is empty or not there yet" % output
            )
            return None
    files.create(mark, True).close()
    return lambda: files.delete(mark, False)


def show_progress(spark, stopped):
    tracker = spark.sparkContext.statusTracker()
    shown = None
    while not stopped.wait(2):
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        counts = [(stage.numCompletedTasks, stage.numTasks) for stage in stages if stage is not None]
        if counts and counts != shown:
            shown = counts
            print("%d of %d tasks done" % tuple(map(sum, zip(*counts))), flush=True)


def main(script, output):
    spark = SparkSession.builder.config("spark.sql.catalogImplementation", "in-memory").getOrCreate()
    statements = read_script(script)
    finish = begin_output(spark, output)
    if finish is None:
        return REFUSED
    stopped = threading.Event()
    threading.Thread(target=show_progress, args=(spark, stopped), daemon=True).start()
    for statement in statements:
        spark.sql(statement)
    stopped.set()
    rows = spark.read.parquet(output).count()
    finish()
    report(rows=rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

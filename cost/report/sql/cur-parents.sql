-- The instances of a Cost and Usage Report that its pods ran on, each with the tags of its own lines. Trino's dialect.
select line_item_resource_id as resource_id, max(resource_tags) as tags
from cur
where not coalesce(line_item_operation in ('EKSPod-EC2', 'ECSTask-EC2'), false)
  and line_item_resource_id in (
    select split_line_item_parent_resource_id from cur
    where line_item_operation in ('EKSPod-EC2', 'ECSTask-EC2')
  )
group by line_item_resource_id
